"""Settings of the recovery `rollback` and the probe `rollback-curve`."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, model_validator

from harness import Config
from harness.training import FRACTION, ConflictSettings, ScoreName
from harness.weights import Granularity


class RollbackConfig(ConflictSettings):
    """Which weights are set back, how many, and how far."""

    budget: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="share of the predicted damage to undo with as few weights as possible, in place of fraction",
    )
    strength: float = Field(default=1.0, gt=0, le=1, description="how far toward the peak: 1 is the peak itself")
    against: int | str | None = Field(
        default=None,
        description="undo this step alone, by its place in the method or its label; null: all since the peak",
    )

    @model_validator(mode="after")
    def _one_size(self) -> RollbackConfig:
        if self.budget is None:
            return self
        if self.score not in (able := ("fisher", "reward-fisher", "magnitude")):
            raise ValueError(
                f"budget needs a score that predicts damage, and {self.score} does not: use one of {', '.join(able)}"
            )
        if self.fraction != FRACTION:
            raise ValueError("fraction and budget both set how much is set back: give one of them")
        return self

    def fault_in_method(self, labels: Sequence[str], peak: int) -> tuple[str, str, str] | None:
        """Returns the key, message and hint of a fault of `against` in this method, or None."""
        if self.against is None:
            return None
        try:
            harmful_step(self.against, labels, peak)
        except ValueError as error:
            return "against", str(error), _steps(labels, peak)
        return None


class CurveConfig(Config):
    """Which rollbacks are evaluated: each score at each fraction, random ones `draws` times."""

    target: str | None = Field(
        default=None, description="the harmed domain; by default the one that the method trained first"
    )
    scores: tuple[ScoreName, ...] = Field(
        default=("fisher", "random"), min_length=1, description="how weights are chosen; one curve for each"
    )
    smallest: float = Field(default=0.001, gt=0, le=1, description="the smallest fraction")
    largest: float = Field(default=0.2, gt=0, le=1, description="the largest fraction")
    points: int = Field(default=6, ge=1, description="number of fractions, evenly spaced on a logarithmic scale")
    draws: int = Field(default=3, ge=1, description="random choices per fraction")
    granularity: Granularity = Field(default="coordinate", description="what is set back as a unit, as in rollback")
    strength: float = Field(default=1.0, gt=0, le=1, description="how far toward the peak: 1 is all the way")
    exclude: tuple[str, ...] = Field(
        default=("norm",),
        description="parameters with one of these in their name are not changed; norm means norms of any name",
    )
    completions: int = Field(default=128, ge=2, description="sampled completions of the target domain for gradients")

    @model_validator(mode="after")
    def _a_range(self) -> CurveConfig:
        if self.smallest > self.largest:
            raise ValueError("smallest is above largest")
        return self

    def fractions(self) -> tuple[float, ...]:
        """Returns the fractions in ascending order, rounded to 6 significant digits."""
        if self.points == 1:
            return (self.largest,)
        ratio = self.largest / self.smallest
        return tuple(
            float(f"{self.smallest * ratio ** (point / (self.points - 1)):.6g}") for point in range(self.points)
        )


def harmful_step(against: int | str, labels: Sequence[str], peak: int) -> int:
    """Returns the index of the step that `against` names in a method's checkpoints, where 0 is the base.

    Raises ValueError if there is no such step, several steps have the label, or the step is not after the peak.
    """
    if isinstance(against, str):
        places = [place for place, label in enumerate(labels) if label == against and place > peak]
        if len(places) > 1:
            raise ValueError(f"{len(places)} steps after the peak are called {against!r}: give the number of one")
        if not places:
            before = " after the target's peak" if against in labels else ""
            raise ValueError(f"no step{before} is called {against!r}")
        return places[0]
    if not 0 < against < len(labels):
        raise ValueError(f"there is no step {against} before this one")
    if against <= peak:
        raise ValueError(f"step {against} is not after the target's peak, so the peak contains its changes")
    return against


def _steps(labels: Sequence[str], peak: int) -> str:
    steps = ", ".join(f"{place} ({label})" for place, label in enumerate(labels) if place > peak)
    return f"the steps after the peak are {steps}" if steps else "there is no step between the peak and this one"
