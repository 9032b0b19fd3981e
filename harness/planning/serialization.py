"""The plan that a run folder keeps, read back: what `plan_to_json` wrote, whatever is installed by now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness._util.json_reading import parse_json
from harness.errors import UsageError
from harness.planning.node import DomainUse
from harness.planning.nodes import AnyNode, BaseNode, EvaluateNode, MergeNode, ProbeNode, RecoverNode, TrainNode
from harness.planning.plan import MethodPlan, Plan
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.protocol.plugin_ref import PluginRef

_NODES: dict[str, type[AnyNode]] = {
    "base": BaseNode,
    "train": TrainNode,
    "recover": RecoverNode,
    "merge": MergeNode,
    "evaluate": EvaluateNode,
    "probe": ProbeNode,
}
_PLUGINS = ("model", "algorithm", "recovery", "merge", "probe", "training")
_TUPLES = ("parents", "earlier", "experts", "weights", "trained")


def read_plan(path: Path) -> Plan:
    """Returns the plan in a run's plan.json. Raises UsageError where it is missing or is none."""
    try:
        return plan_from_json(parse_json(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"this plan cannot be read: {type(error).__name__}: {error}",
            where=str(path),
            hint="run the protocol again, with the version of mdrl-harness that is in the run's provenance.json",
        ) from error


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """Returns the plan that `plan_to_json` gave `data` for. Raises KeyError or TypeError where it gave no such data."""
    nodes = [_node(node) for node in data["nodes"]]
    return Plan(
        protocol=data["protocol"],
        key=data["key"],
        model=data["model"],
        seeds=tuple(data["seeds"]),
        domains={name: _domain(domain) for name, domain in data["domains"].items()},
        settings=EvaluationSettings(**data["settings"]),
        nodes={node.key: node for node in nodes},
        methods=tuple(
            MethodPlan(**method | {"lineage": tuple(method["lineage"]), "probes": tuple(method["probes"])})
            for method in data["methods"]
        ),
        evaluations=data["evaluations"],
        harness=data.get("harness", ""),
    )


def _node(data: Mapping[str, Any]) -> AnyNode:
    fields = dict(data) | {name: _plugin(data[name]) for name in _PLUGINS if data.get(name) is not None}
    fields |= {name: tuple(data[name]) for name in _TUPLES if name in data}
    if "settings" in data:
        fields["settings"] = EvaluationSettings(**data["settings"])
    if "scored_with" in data:
        fields["scored_with"] = {name: EvaluationSettings(**given) for name, given in data["scored_with"].items()}
    return _NODES[data["kind"]](**fields)


def _domain(data: Mapping[str, Any]) -> DomainUse:
    return DomainUse(**dict(data) | {name: _plugin(data[name]) for name in ("plugin", "reward")})


def _plugin(data: Mapping[str, Any]) -> PluginRef:
    unkeyed = tuple(tuple(path) for path in data.get("unkeyed", ()))
    return PluginRef(**dict(data) | {"needs": frozenset(data["needs"]), "unkeyed": unkeyed})
