"""Evaluation settings."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ConfigDict


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How checkpoints are scored.

    limit: items per task, None for all. seed: for sampling answers; independent of the run's seed. chat_template:
    whether to apply the model's chat template; None (each domain's own format) only in the settings of a protocol, not
    in those of a node. think_end: the text up to this mark is not scored.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    limit: int | None = None
    batch_size: int = 16
    seed: int = 0
    chat_template: bool | None = None
    think_end: str | None = None
