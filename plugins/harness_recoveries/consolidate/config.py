"""Settings of the recovery `consolidate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness import Config, Workload
from harness.training import gradient_workload

WeightsName = Literal["uniform", "policy-fisher", "reward-fisher"]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]

Fault = tuple[str, str, str]


class ConsolidateConfig(Config):
    """Which checkpoints are merged, and how much each weight of them counts."""

    weights: WeightsName = Field(
        default="reward-fisher",
        description="how much a stage's weights count: all the same, or by the curvature of its domain's policy or"
        " reward there",
    )
    power: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="exponent of the curvature: 0.5 is its square root"
    )
    granularity: Literal["weight", "module", "model"] = Field(
        default="weight", description="over what the curvature is averaged before it counts"
    )
    normalize: bool = Field(
        default=True, description="divide each stage's curvature by its sum, so that every stage counts the same"
    )
    stages: Mapping[str, int | str] | None = Field(
        default=None,
        min_length=2,
        description="the checkpoint of each domain, by its place in the method or its label; null: that after its last"
        " training, for every trained domain",
    )
    keep: Mapping[str, Factor] = Field(
        default_factory=dict, description="factors of stages that count more or less than the others, by domain"
    )
    completions: int = Field(
        default=256, ge=2, description="sampled completions of each stage's domain for its curvature"
    )

    @model_validator(mode="after")
    def _curvature_settings(self) -> ConsolidateConfig:
        given = sorted({"power", "granularity", "normalize"} & self.model_fields_set)
        changed = [name for name in given if getattr(self, name) != type(self).model_fields[name].default]
        if self.weights == "uniform" and changed:
            raise ValueError(f"{changed[0]} is about a curvature, and weights: uniform has none")
        return self

    def workload(self) -> Workload | None:
        """Returns the work of the given stages; None if they are those of the method."""
        if self.weights == "uniform" or self.stages is not None:
            return self.workload_of_recovery(0)
        return None

    def workload_of_recovery(self, trained: int) -> Workload:
        """Returns the sampling, in whole groups of 8, and backward passes of each stage; nothing for `uniform`."""
        if self.weights == "uniform":
            return Workload()
        stages, one = len(self.stages or ()) or trained, gradient_workload(self.completions)
        return replace(
            one,
            completions=one.completions * stages,
            trained_completions=one.trained_completions * stages,
            cached_gradients=one.cached_gradients * stages,
        )

    def steps_of(self, labels: Sequence[str], peaks: Mapping[str, int]) -> dict[str, int]:
        """Returns the index of each domain's stage in a method's checkpoints, where 0 is the base.

        labels: of the checkpoints. peaks: the index of each trained domain's last training. Raises StageError if there
        is no such stage, or nothing to merge.
        """
        found = {}
        for domain, wanted in (peaks if self.stages is None else self.stages).items():
            if domain not in peaks:
                raise StageError(f"stages.{domain}", f"{domain!r} is not trained before this step", _trained(peaks))
            try:
                found[domain] = _step(wanted, labels)
            except ValueError as error:
                raise StageError(f"stages.{domain}", str(error), _steps(labels)) from error
        for domain in self.keep:
            if domain not in found:
                raise StageError(f"keep.{domain}", f"{domain!r} is no stage of this merge", _trained(found))
        if len(set(found.values())) < 2:
            only = labels[next(iter(found.values()))]
            raise StageError(
                "recover" if self.stages is None else "stages",
                f"the only stage is {only}, so there is nothing to merge",
                "train on another domain in a step of its own before this step",
            )
        return found

    def fault_with_targets(
        self, labels: Sequence[str], targets: Sequence[str], peaks: Mapping[str, int]
    ) -> Fault | None:
        """Returns the key, message and hint of a fault of the stages in this method, or None."""
        try:
            self.steps_of(labels, peaks)
        except StageError as error:
            return error.fault
        return None


class StageError(ValueError):
    """A stage that a method does not have. fault: its key, message and hint."""

    def __init__(self, key: str, message: str, hint: str) -> None:
        super().__init__(f"{key}: {message}")
        self.fault: Fault = (key, message, hint)


def _step(wanted: int | str, labels: Sequence[str]) -> int:
    if isinstance(wanted, str):
        places = [place for place, label in enumerate(labels) if label == wanted]
        if not places:
            raise ValueError(f"no step before this one is called {wanted!r}")
        if len(places) > 1:
            raise ValueError(f"{len(places)} steps are called {wanted!r}: give the number of one")
        return places[0]
    if not 0 <= wanted < len(labels):
        raise ValueError(f"there is no step {wanted} before this one")
    return wanted


def _steps(labels: Sequence[str]) -> str:
    return f"the steps are {', '.join(f'{place} ({label})' for place, label in enumerate(labels))}"


def _trained(domains: Mapping[str, int]) -> str:
    return f"the domains are {', '.join(domains)}"
