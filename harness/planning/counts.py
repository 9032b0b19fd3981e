"""What a plan costs: counts of its nodes and, where the configs say so, of optimizer steps and completions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from harness.planning.nodes import EvaluateNode, MergeNode, Node, Plan, ProbeNode, RecoverNode, TrainNode
from harness.plugin.config import Config
from harness.plugin.registry import Registry
from harness.plugin.workload import Workload
from harness.protocol.faults import validate
from harness.protocol.plugin_ref import PluginRef


@dataclass(frozen=True, kw_only=True)
class PlanCost:
    """Counts over some of a plan's nodes. Optimizer steps and completions of configs that do not tell count as 0.
    completions: those of trainings and recoveries, not of scorings."""

    trainings: int = 0
    recoveries: int = 0
    merges: int = 0
    evaluations: int = 0
    probes: int = 0
    optimizer_steps: int = 0
    completions: int = 0


def cost_of(plan: Plan, registry: Registry, *, without: Collection[str] = ()) -> PlanCost:
    """Returns the cost of a plan's nodes, less those whose keys are in `without`."""
    nodes = [node for node in plan.nodes.values() if node.key not in without]
    works = [work for key, work in workloads_of(plan, registry).items() if key not in without and work is not None]
    return PlanCost(
        trainings=_count(nodes, TrainNode),
        recoveries=_count(nodes, RecoverNode),
        merges=_count(nodes, MergeNode),
        evaluations=_count(nodes, EvaluateNode),
        probes=_count(nodes, ProbeNode),
        optimizer_steps=sum(work.optimizer_steps for work in works),
        completions=sum(work.completions for work in works),
    )


def workloads_of(plan: Plan, registry: Registry) -> dict[str, Workload | None]:
    """Returns, by key, what each training and recovery of a plan does at most; None where its config does not tell."""
    return {key: _workload(use, registry) for key, node in plan.nodes.items() if (use := _worker(node)) is not None}


def _worker(node: Node) -> PluginRef | None:
    """Returns the plugin whose config tells what making the node takes, None where the node trains nothing."""
    if isinstance(node, TrainNode):
        return node.algorithm
    if isinstance(node, RecoverNode):
        return node.recovery if node.training is None else node.training
    return None


def _workload(use: PluginRef, registry: Registry) -> Workload | None:
    config = validate(registry.find(use.kind, use.name).config_type(), use.config)
    return config.workload() if isinstance(config, Config) else None


def _count(nodes: Collection[Node], kind: type[Node]) -> int:
    return sum(isinstance(node, kind) for node in nodes)
