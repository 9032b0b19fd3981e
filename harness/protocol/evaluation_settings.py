"""How checkpoints are scored."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ConfigDict


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How checkpoints are scored. limit: items a task, None for all. seed: of sampled answers; not the run's seed.
    chat_template: prompts go through the model's chat template. In a protocol's settings it may be None, each domain's
    own format; in a node's it is never None. think_end: what comes up to this mark is not scored."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    limit: int | None = None
    batch_size: int = 16
    seed: int = 0
    chat_template: bool | None = None
    think_end: str | None = None
