"""Writes and reads a plan as JSON in a run folder. Reading does not need the plugins of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness._util.json_reading import parse_json
from harness.errors import UsageError
from harness.planning.plan import Plan


@cache
def _adapter() -> TypeAdapter[Plan]:
    return TypeAdapter(Plan)


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Returns the plan as JSON data, with nodes in an order in which they can be computed."""
    data = _adapter().dump_python(plan, mode="json")
    return {"schema": 1, **data, "nodes": list(data["nodes"].values())}


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """Returns the plan from the output of `plan_to_json`. Raises ValueError, KeyError or TypeError for other data."""
    return _adapter().validate_python({**data, "nodes": {node["key"]: _current(node) for node in data["nodes"]}})


def _current(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a node's data in the current form. Recoveries formerly had one target."""
    if "target" not in node:
        return node
    others = {name: value for name, value in node.items() if name not in ("target", "peak")}
    return {**others, "targets": [node["target"]], "peaks": {node["target"]: node["peak"]}}


def read_plan(path: Path) -> Plan:
    """Returns the plan in a run's plan.json. Raises UsageError if it is missing or malformed."""
    try:
        return plan_from_json(parse_json(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"this plan cannot be read: {_first_fault(error)}",
            where=str(path),
            hint="run the protocol again with the version of mdrl-harness in the run's provenance.json",
        ) from error


def _first_fault(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {error}"
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
