"""A weighted sum of other rewards. Each part is also counted and logged separately."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from harness import (
    Config,
    HubSource,
    Problem,
    Reward,
    RewardBatch,
    RewardResult,
    RewardUse,
    Scoring,
    StartContext,
    score_together,
)

PartName = Annotated[str, StringConstraints(pattern=r"^[^/\s]+$")]


class PartConfig(Config):
    """One reward of the sum."""

    reward: RewardUse = Field(description="a reward's name, or `{use: name, …}` with its keys")
    weight: float = Field(default=1.0, allow_inf_nan=False, description="0 logs the part and leaves it out of the sum")


class CompositeConfig(Config):
    """Which rewards are summed, by the names they are logged under."""

    parts: dict[PartName, PartConfig] = Field(
        min_length=1, description="the rewards by the names they are logged under"
    )
    abstaining: Literal["abstain", "leave-out"] = Field(
        default="abstain",
        description="what a row gets of which a part abstains: no reward, or the sum of the others, scaled up",
    )

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if not any(part.weight for part in self.parts.values()):
            raise ValueError("the weight of every part is 0")
        return self


class Composite(Reward):
    """Σ weight · value. A part's error or time-out is the whole's: a sum without it would be another reward.

    Under `leave-out` the sum over the parts that have a value is multiplied by Σ |weight| of all parts and divided by
    Σ |weight| of these.
    """

    def __init__(self, config: CompositeConfig) -> None:
        self.config = config
        self._parts = {name: part.reward.load() for name, part in config.parts.items()}
        self.part_weights = {name: part.weight for name, part in config.parts.items() if part.weight}
        self.tried_at_start = all(part.tried_at_start for part in self._parts.values())

    def hub_sources(self) -> Sequence[HubSource]:
        return [source for part in self._parts.values() for source in part.hub_sources()]

    def fetch(self) -> None:
        for part in self._parts.values():
            part.fetch()

    def unjudgeable(self, prompts: Sequence[Any], rows: Sequence[Mapping[str, Any]]) -> Sequence[str | None]:
        """Returns why a part cannot judge a row: its error would be the whole's."""
        reasons = {name: part.unjudgeable(prompts, rows) for name, part in self._parts.items()}
        return [_first({name: of_part[index] for name, of_part in reasons.items()}) for index in range(len(rows))]

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        for name, part in self._parts.items():
            for problem in part.faults_at_start(start):
                yield replace(problem, key=f"parts.{name}.{problem.key}".rstrip("."))

    def score(self, batch: RewardBatch) -> Sequence[RewardResult] | Awaitable[Sequence[RewardResult]]:
        """Returns one result a row with its parts; to be awaited where a part is."""
        scored = score_together(
            [
                Scoring(name=name, reward=part, batch=batch, label=self._label(name))
                for name, part in self._parts.items()
            ]
        )
        return self._combined(scored) if isinstance(scored, list) else self._later(scored)

    async def _later(self, scored: Awaitable[list[list[RewardResult]]]) -> list[RewardResult]:
        return self._combined(await scored)

    def _combined(self, scored: list[list[RewardResult]]) -> list[RewardResult]:
        rows = (dict(zip(self._parts, row, strict=True)) for row in zip(*scored, strict=True))
        return [replace(self._sum(row), parts=row) for row in rows]

    def _sum(self, parts: Mapping[str, RewardResult]) -> RewardResult:
        for name, part in parts.items():
            if part.outcome in ("error", "timeout"):
                return RewardResult(part.outcome, None, f"{name}: {part.detail}")
        weights = {name: part.weight for name, part in self.config.parts.items()}
        values = {name: part.value for name, part in parts.items() if part.value is not None}
        share = sum(abs(weights[name]) for name in values) / sum(map(abs, weights.values()))
        if not share or (len(values) < len(parts) and self.config.abstaining == "abstain"):
            details = (f"{name}: {part.detail}" for name, part in parts.items() if part.outcome == "abstain")
            return RewardResult.abstain("; ".join(details))
        total = sum(weights[name] * value for name, value in values.items()) / share
        return RewardResult.ok(total) if math.isfinite(total) else RewardResult.error(f"the weighted sum is {total}")

    def _label(self, name: str) -> str:
        use = self.config.parts[name].reward
        return f"{use.identity or use.use} (part {name} of a composite reward)"


def _first(reasons: Mapping[str, str | None]) -> str | None:
    return next((f"{name}: {reason}" for name, reason in reasons.items() if reason is not None), None)
