"""Predicts damage from virtual updates along policy gradients and their effect on the rewards of other domains.

Formulas: docs/explanation/prediction.md. Everything is measured at one checkpoint, without training. Memory: the model
and one parameter's gradient at a time. Three fp32 vectors per domain and two more, each as large as the model, are
files in a temporary folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from harness.execution.seeds import named_seed
from harness.plugin.interfaces import TrainingDomain
from harness.prediction.domain_measure import (
    EPSILON,
    DomainMeasure,
    DomainSamples,
    log_probabilities,
    measure_domain,
    model_in,
    ratios,
)
from harness.prediction.matrix import PairPrediction, Prediction, TrainingPace
from harness.prediction.updates import bures_wasserstein, overlap
from harness.prediction.vectors import Vectors

HORIZON = 8
"""The number of fully aligned optimizer steps that a training is equivalent to. Chosen on lab seed 7, where the real
weight delta after 60 steps was 6.7 to 8.5 such steps along the virtual direction; the rest was in other directions."""


@dataclass(frozen=True, kw_only=True)
class StartMeasure:
    """A prediction, and what else was measured at its checkpoint.

    samples: by domain. rivals: by (trained, harmed), the values of the predictors that need no training and are not in
    the prediction, by name; empty unless asked for.
    """

    prediction: Prediction
    samples: Mapping[str, DomainSamples]
    rivals: Mapping[tuple[str, str], Mapping[str, float]] = field(default_factory=dict)


def predict(
    folder: Path,
    domains: Mapping[str, TrainingDomain],
    paces: Mapping[str, TrainingPace],
    *,
    seed: int,
    completions: int,
    horizon: int = HORIZON,
    checkpoint: str = "base",
    trained: Sequence[str] | None = None,
    rivals: bool = False,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> StartMeasure:
    """Returns the predicted damage of every ordered pair of `domains` for the model in `folder`.

    paces: the pace of the predicted trainings, by domain. completions: the number per domain, in whole groups of 8.
    trained: the domains whose training is predicted, None for all. rivals: whether to compute the values of the other
    predictors. progress: called with the number of finished parts, their total, and the domain.
    Raises StepFailed if a domain's completions get no reward.
    """
    steps = list(domains) if trained is None else list(trained)
    total = len(domains) + len(steps)
    with tempfile.TemporaryDirectory(prefix="harness-predict-") as scratch:
        measures: dict[str, DomainMeasure] = {}
        for done, (name, domain) in enumerate(domains.items()):
            progress(done, total, name)
            measures[name] = measure_domain(
                folder,
                domain,
                paces[name],
                seed=named_seed(seed, "predict", name),
                completions=completions,
                scratch=Path(scratch) / str(done),
            )
        model = model_in(folder)
        before = {name: log_probabilities(model, measure.sampled.samples) for name, measure in measures.items()}
        pairs: list[PairPrediction] = []
        others_say: dict[tuple[str, str], dict[str, float]] = {}
        virtual = _VirtualStep(model, Path(scratch))
        for done, step in enumerate(steps, start=len(domains)):
            progress(done, total, step)
            source, pace = measures[step], paces[step]
            virtual.aim(source.direction, pace.learning_rate * min(pace.steps, horizon))
            others = [name for name in measures if name != step]
            there, back = (_ratios(virtual, sign, measures, before, others) for sign in (1.0, -1.0))
            for name in others:
                harmed = measures[name]
                scale = 100 / max(harmed.sampled.spread, EPSILON)
                first = float(harmed.gain @ virtual.delta) * scale
                second = float(((there[name] + back[name] - 2) * harmed.sampled.advantages).mean()) / 2 * scale
                pairs.append(
                    PairPrediction(
                        trained=step,
                        harmed=name,
                        damage=-(first + second),
                        first_order=first,
                        second_order=second,
                        gradient_cosine=_cosine(source.policy, harmed.policy),
                    )
                )
                if rivals:
                    others_say[step, name] = _rivals(model, source, harmed, float(harmed.gain @ virtual.delta))
        samples = {name: measure.sampled for name, measure in measures.items()}
    progress(total, total, "")
    prediction = Prediction(
        seed=seed,
        checkpoint=checkpoint,
        pairs=tuple(pairs),
        completions=sum(len(some.samples) for some in samples.values()),
        generated_tokens=sum(len(s.ids) - s.prompt_length for some in samples.values() for s in some.samples),
    )
    return StartMeasure(prediction=prediction, samples=samples, rivals=others_say)


def _rivals(model: Any, source: DomainMeasure, harmed: DomainMeasure, first_order: float) -> dict[str, float]:
    """Returns the values of predictors from the same measurements; positive or larger values are harm.

    first_order: the predicted change of the harmed domain's expected reward.
    """
    return {
        "first order, in reward": -100 * first_order,
        "reward of the harmed domain": 100 * harmed.sampled.reward,
        "prompts with an advantage": 100 * source.sampled.active,
        "update overlap": overlap(model, source.direction, harmed.direction),
        "negative update distance": -bures_wasserstein(model, source.direction, harmed.direction),
    }


class _VirtualStep:
    """Moves a model along a weight delta and back. The original weights and the delta are vectors in files."""

    def __init__(self, model: Any, scratch: Path) -> None:
        self.model = model
        self._vectors = Vectors(scratch, model)
        self._original, self.delta = self._vectors.zeros("original"), self._vectors.zeros("delta")
        for name, parameter in model.named_parameters():
            self._vectors.part(self._original, name).copy_(parameter.detach().flatten())

    def aim(self, direction: torch.Tensor, length: float) -> None:
        """Sets the weight delta to `length` times the direction."""
        torch.mul(direction, length, out=self.delta)

    @contextmanager
    def moved(self, sign: float) -> Iterator[None]:
        """In this context, the model is moved by `sign` times the weight delta."""
        try:
            with torch.no_grad():
                for name, parameter in self.model.named_parameters():
                    part = sign * self._vectors.part(self.delta, name)
                    parameter.add_(part.view_as(parameter).to(parameter.device))
            yield
        finally:
            with torch.no_grad():
                for name, parameter in self.model.named_parameters():
                    parameter.copy_(self._vectors.part(self._original, name).view_as(parameter))


def _ratios(
    virtual: _VirtualStep,
    sign: float,
    measures: Mapping[str, DomainMeasure],
    before: Mapping[str, torch.Tensor],
    names: list[str],
) -> dict[str, torch.Tensor]:
    """Returns π_{θ ± delta} / π_θ of each sample of the domains `names`, clipped at LARGEST_RATIO."""
    with virtual.moved(sign):
        return {name: ratios(virtual.model, measures[name].sampled.samples, before[name]) for name in names}


def _cosine(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(first @ second / (first.norm() * second.norm()).clamp(min=EPSILON))
