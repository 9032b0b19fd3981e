"""Settings of gradient surgery. Losses that are not a sum over domains are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from harness.training import PolicyGradientConfig
from harness_algorithms.surgery.granularity import Granularity

Normalizer = Literal["rows", "tokens", "batch"]

LOSSES: Mapping[str, Normalizer] = {
    "grpo": "rows",
    "sapo": "rows",
    "dr_grpo": "rows",
    "luspo": "rows",
    "bnpo": "tokens",
    "dapo": "batch",
    "cispo": "batch",
    "vespo": "batch",
}
"""What TRL 1.16 divides each loss by: the rows or tokens of the pass, or a number of the whole generation batch."""

_WHOLE_GRADIENTS = "surgery needs all gradients in every process; run it in one process or under DDP"
_OFF: tuple[Any, ...] = (None, False, "", [], {})
# Fields of TRL's config: the values that are allowed, and the reason why others are not.
_REFUSED: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "top_entropy_quantile": (
        (1.0,),
        "its threshold depends on all domains' tokens, so the loss is no sum over domains",
    ),
    "use_adaptive_entropy": (_OFF, "its controller would run once per domain; use a fixed entropy_coef"),
    "router_aux_loss_coef": ((0.0, None), "the load-balancing loss of a mixed batch is no sum over domains"),
    "fsdp": (_OFF, _WHOLE_GRADIENTS),
    "fsdp_config": (_OFF, _WHOLE_GRADIENTS),
    "deepspeed": (_OFF, _WHOLE_GRADIENTS),
    "parallelism_config": (_OFF, _WHOLE_GRADIENTS),
}


class SurgeryConfig(PolicyGradientConfig):
    """GRPO's settings. Every loss of `LOSSES` is a sum over domains."""

    @field_validator("loss_type")
    @classmethod
    def _adds_up(cls, given: str) -> str:
        if given not in LOSSES:
            raise ValueError(f"gradient surgery supports the losses {', '.join(LOSSES)}; {given!r} is none of them")
        return given

    @field_validator("trl")
    @classmethod
    def _can_be_taken_apart(cls, given: dict[str, Any]) -> dict[str, Any]:
        for key, (harmless, reason) in _REFUSED.items():
            if given.get(key, harmless[0]) not in harmless:
                raise ValueError(f"gradient surgery does not support {key}: {reason}")
        return given


class ModularSurgeryConfig(SurgeryConfig):
    """Settings of Modular Gradient Surgery. The paper's text projects modules, its code every tensor."""

    granularity: Granularity = Field(
        default="module",
        description="the groups in which conflicts are projected away: tensors, modules, blocks, or everything",
    )
