"""What a TRL trainer trains, and whether this process has all of it."""

from __future__ import annotations

from typing import Any

from torch import nn

_REPLICATED = ("NO", "MULTI_CPU", "MULTI_GPU")


def trained_parameters(trainer: Any) -> dict[str, nn.Parameter]:
    """Returns the trained parameters by name. A tied weight is one parameter."""
    parameters = trainer.accelerator.unwrap_model(trainer.model).named_parameters()
    return {name: parameter for name, parameter in parameters if parameter.requires_grad}


def sharding_mode(trainer: Any) -> str | None:
    """Returns accelerate's name of the mode if it divides weights or gradients among processes, otherwise None."""
    kind = str(trainer.accelerator.distributed_type.value)
    return None if kind in _REPLICATED else kind
