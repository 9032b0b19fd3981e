"""The estimated tokens, hours and disk space of a plan, and the shape of the model that they depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.planning.estimate import Assumptions, CostEstimate, NodeEstimate
    from harness.planning.model_shape import ModelShape
    from harness.planning.plan import Plan
    from harness.planning.schedule import Schedule
    from harness.plugin.registry import Registry


@dataclass(frozen=True, kw_only=True)
class PlanEstimate:
    """The estimate of a plan.

    total, to_do: sums over all nodes, and over the missing ones. nodes: by key. method_hours: by method, with shared
    nodes counted for each. model_shape: None if the model's config.json is not available. memory_bytes: of this
    machine; None if unknown. schedule: in hours; None unless a number of slots was given.
    """

    total: CostEstimate
    to_do: CostEstimate
    nodes: Mapping[str, NodeEstimate]
    method_hours: Mapping[str, float]
    assumptions: Assumptions
    model_shape: ModelShape | None
    memory_bytes: int | None
    schedule: Schedule | None


def shape_for(plan: Plan, registry: Registry, file: Path | None) -> ModelShape | None:
    """Returns the shape of the plan's model, from `file` or from the model's own config if it is available offline.

    Raises UsageError if `file` is not the config.json of a decoder.
    """
    from harness._util.json_reading import parse_json
    from harness.planning.model_shape import shape_of
    from harness.protocol import instance_of

    if file is None:
        values = instance_of(plan.base.model, registry).config_json()
        return None if values is None else shape_of(values)
    path = file / "config.json" if file.is_dir() else file
    try:
        values = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read config.json: {error}", where=str(path), hint="check --model-config") from error
    shape = shape_of(values) if isinstance(values, dict) else None
    if shape is None:
        raise UsageError(
            "it does not describe a dense decoder",
            where=str(path),
            hint="it must contain hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, vocab_size",
        )
    return shape
