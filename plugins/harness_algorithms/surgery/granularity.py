"""The groups of parameters in which conflicts are projected away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from harness.weights import group_parameters, parameter_group

Granularity = Literal["tensor", "module", "block", "global"]


def group_of(name: str, granularity: Granularity) -> str:
    """Returns the group of the parameter `name`.

    tensor: the parameter itself. module: `layers.3.self_attn`, `layers.3.mlp`, `layers.3.norms` for the norms between a
    layer's modules, `embeddings`, `norm`, `lm_head`. block: `layers.3`; outside the layers as module. global: `all`.
    """
    if granularity in ("tensor", "global"):
        return name if granularity == "tensor" else "all"
    group = parameter_group(name)
    return group.layer or group.function if granularity == "block" else group.function


def check_groups(names: Iterable[str], granularity: Granularity) -> None:
    """Raises CheckpointError if `granularity` needs layers and the parameter names have none."""
    if granularity in ("module", "block"):
        group_parameters(names)
