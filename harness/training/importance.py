"""Importance scores: estimates of how much each weight's part of a delta δ damaged the target domain.

arXiv 2606.02398 does not say how its rollback selects weights, so each score is one reading of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch

from harness.errors import StepFailed
from harness.plugin.interfaces import Cost, LineageEntry
from harness.plugin.probe_interface import ProbeContext
from harness.plugin.recovery_interface import RecoveryContext
from harness.training.conflict_settings import GRADIENT_SCORES, ScoreName
from harness.training.gradient_cache import Kind, cached_gradients
from harness.weights import (
    Chunk,
    Formula,
    Scores,
    WeightDelta,
    WeightFolder,
    check_gradient_names,
    check_same_tensors,
    eligible_names,
)


@dataclass(frozen=True, kw_only=True)
class ScoredCase:
    """What a score is computed for.

    lineage: from the base to the damaged checkpoint. peak: the index of the target's peak in it. completions: sampled
    for gradients. squared: makes `magnitude` δ² in place of |δ|: the same order, and the sum is the second-order damage
    where all curvatures are equal.
    """

    context: RecoveryContext | ProbeContext
    delta: WeightDelta
    target: str
    lineage: Sequence[LineageEntry]
    peak: int
    completions: int
    seed: int
    squared: bool = False


Combine: TypeAlias = Callable[[torch.Tensor, Sequence[torch.Tensor]], object]
"""Turns δ, its first argument, into the scores in place; the second are the values of the other folders."""


@dataclass(frozen=True, kw_only=True)
class ImportanceScore:
    """A score that can be streamed.

    combine: called once per thread. more: folders that are read beside those of the delta. in_order: whether the score
    draws random numbers chunk by chunk. cost: of the completions that were sampled.
    """

    delta: WeightDelta
    combine: Callable[[], Combine]
    more: tuple[WeightFolder, ...] = ()
    in_order: bool = False
    cost: Cost = field(default_factory=Cost)

    def of(self, names: Sequence[str]) -> Scores:
        """Returns the scores of some eligible parameters."""
        return Scores(self.delta.stream(names, *self.more), self._formula, in_order=self.in_order)

    def _formula(self) -> Formula:
        combine = self.combine()

        def formula(chunk: Chunk, values: Sequence[torch.Tensor], out: torch.Tensor) -> None:
            after, before, *more = values
            self.delta.note(chunk, torch.sub(after, before, out=out))
            combine(out, more)

        return formula


def importance_score(score: ScoreName, case: ScoredCase) -> ImportanceScore:
    """Returns the score after measuring the gradients that it needs.

    Raises StepFailed for sign-conflict where no checkpoint precedes the target's training, and CheckpointError where a
    weight has no gradient.
    """
    return _SCORES[score](case)


def check_scores(scores: Iterable[ScoreName], model: Path, exclude: Sequence[str]) -> None:
    """Raises CheckpointError if a score needs gradients that a base model does not give for all eligible weights."""
    if GRADIENT_SCORES.intersection(scores):
        check_gradient_names(model, eligible_names(WeightFolder(model), exclude))


def _fisher(case: ScoredCase) -> ImportanceScore:
    """F·δ²: the second-order damage ½ δᵀHδ of arXiv 2606.02398 per weight, with the Fisher diagonal F in place of H."""
    return _by_curvature(case, "fisher")


def _reward_fisher(case: ScoredCase) -> ImportanceScore:
    """As `_fisher`, with the squares of the reward's gradients, advantage included, as the curvature F."""
    return _by_curvature(case, "reward-fisher")


def _by_curvature(case: ScoredCase, kind: Kind) -> ImportanceScore:
    return _by_gradients(case, kind, case.peak, lambda delta, more: delta.square_().mul_(more[0]))


def _gradient(case: ScoredCase) -> ImportanceScore:
    """−g·δ: the first-order gain in reward of undoing δ. g: the target's policy gradient at the damaged checkpoint."""
    return _by_gradients(case, "gradient", len(case.lineage) - 1, lambda delta, more: delta.mul_(more[0]).neg_())


def _by_gradients(case: ScoredCase, kind: Kind, step: int, combine: Combine) -> ImportanceScore:
    check_gradient_names(case.delta.now.folder, case.delta.names)
    gradients, cost = cached_gradients(
        kind,
        case.context,
        checkpoint=case.lineage[step],
        domain=case.context.domains[case.target],
        count=case.completions,
    )
    return ImportanceScore(delta=case.delta, combine=lambda: combine, more=(gradients,), cost=cost)


def _magnitude(case: ScoredCase) -> ImportanceScore:
    """|δ|."""
    if case.squared:
        return ImportanceScore(delta=case.delta, combine=lambda: lambda delta, more: delta.square_())
    return ImportanceScore(delta=case.delta, combine=lambda: lambda delta, more: delta.abs_())


def _sign_conflict(case: ScoredCase) -> ImportanceScore:
    """−δ_A·δ: high where δ is opposed to δ_A, the delta of the target's own training."""
    if case.peak == 0:
        raise StepFailed("sign-conflict needs the delta of the target's own training, and no step trained the target")
    own = WeightFolder(case.lineage[case.peak].folder), WeightFolder(case.lineage[case.peak - 1].folder)
    for folder in own:
        check_same_tensors(case.delta.now, folder)

    def combine(delta: torch.Tensor, more: Sequence[torch.Tensor]) -> None:
        peak, base = more
        delta.mul_(torch.sub(peak, base)).neg_()

    return ImportanceScore(delta=case.delta, combine=lambda: combine, more=own)


def _random(case: ScoredCase) -> ImportanceScore:
    """Uniform random scores: the control."""

    def start() -> Combine:
        generator = torch.Generator().manual_seed(case.seed)
        return lambda delta, more: delta.uniform_(generator=generator)

    return ImportanceScore(delta=case.delta, combine=start, in_order=True)


_SCORES: Mapping[ScoreName, Callable[[ScoredCase], ImportanceScore]] = {
    "fisher": _fisher,
    "reward-fisher": _reward_fisher,
    "gradient": _gradient,
    "magnitude": _magnitude,
    "sign-conflict": _sign_conflict,
    "random": _random,
}
