"""How much a coordinate is blamed for the damage; δ is the edit that the rollback undoes.

The paper does not say how its rollback picks coordinates, so each score here is a reading of it, named by its formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import torch

from harness import Cost, LineageEntry, ProbeContext, RecoveryContext, StepFailed
from harness.training import Kind, cached_gradients
from harness.weights import Chunk, Formula, Scores, WeightFolder, check_same_tensors
from harness_recoveries.rollback.edit import Edit

if TYPE_CHECKING:
    from harness_recoveries.rollback.config import ScoreName

Context: TypeAlias = RecoveryContext | ProbeContext


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a score is asked about. lineage: base to the damaged checkpoint; peak: the target's place in it. squared:
    |δ| as δ², which orders the same and adds up to the damage where all curvatures are the same."""

    context: Context
    edit: Edit
    target: str
    lineage: Sequence[LineageEntry]
    peak: int
    completions: int
    seed: int
    squared: bool = False


Combine: TypeAlias = Callable[[torch.Tensor, Sequence[torch.Tensor]], object]
"""Makes δ, its first argument, into the scores, in place; the second are the values of the other checkpoints."""


@dataclass(frozen=True, kw_only=True)
class Blame:
    """A score that is ready to be streamed. combine: made once a thread. more: the checkpoints beside the edit's two.
    in_order: it draws at random, chunk by chunk. cost: what was sampled to know it."""

    edit: Edit
    combine: Callable[[], Combine]
    more: tuple[WeightFolder, ...] = ()
    in_order: bool = False
    cost: Cost = field(default_factory=Cost)

    def of(self, names: Sequence[str]) -> Scores:
        """Returns the scores of some of the eligible parameters."""
        return Scores(self.edit.stream(names, *self.more), self._formula, in_order=self.in_order)

    def _formula(self) -> Formula:
        combine = self.combine()

        def formula(chunk: Chunk, values: Sequence[torch.Tensor], out: torch.Tensor) -> None:
            after, before, *more = values
            self.edit.note(chunk, torch.sub(after, before, out=out))
            combine(out, more)

        return formula


def blame_by(score: ScoreName, case: Case) -> Blame:
    """Returns the score, with what it has to measure already measured.

    Raises StepFailed for sign-conflict where the target's training has no checkpoint before it, and for a parameter
    that has no gradient.
    """
    return _SCORES[score](case)


def _fisher(case: Case) -> Blame:
    """F·δ², the second-order damage ½ δᵀHδ of arXiv 2606.02398 read coordinate by coordinate, F for H's diagonal."""
    return _by_gradients(case, "fisher", case.peak, lambda edit, more: edit.square_().mul_(more[0]))


def _gradient(case: Case) -> Blame:
    """−g·δ, the first-order gain in reward of undoing δ; g is the target's policy gradient where the damage is."""
    return _by_gradients(case, "gradient", len(case.lineage) - 1, lambda edit, more: edit.mul_(more[0]).neg_())


def _by_gradients(case: Case, kind: Kind, step: int, combine: Combine) -> Blame:
    gradients, cost = cached_gradients(
        kind,
        case.context,
        checkpoint=case.lineage[step],
        domain=case.context.domains[case.target],
        count=case.completions,
    )
    missing = sorted(set(case.edit.names) - set(gradients.names()))
    if missing:
        raise StepFailed(f"the model has no gradient for the parameter {missing[0]}")
    return Blame(edit=case.edit, combine=lambda: combine, more=(gradients,), cost=cost)


def _magnitude(case: Case) -> Blame:
    """|δ|."""
    if case.squared:
        return Blame(edit=case.edit, combine=lambda: lambda edit, more: edit.square_())
    return Blame(edit=case.edit, combine=lambda: lambda edit, more: edit.abs_())


def _sign_conflict(case: Case) -> Blame:
    """−δ_A·δ, δ_A the edit that the target's own training made: high where the later edit goes against it."""
    if case.peak == 0:
        raise StepFailed("sign-conflict compares with the edit of the target's own training, and there is none")
    own = WeightFolder(case.lineage[case.peak].folder), WeightFolder(case.lineage[case.peak - 1].folder)
    for folder in own:
        check_same_tensors(case.edit.now, folder)

    def combine(edit: torch.Tensor, more: Sequence[torch.Tensor]) -> None:
        peak, base = more
        edit.mul_(torch.sub(peak, base)).neg_()

    return Blame(edit=case.edit, combine=lambda: combine, more=own)


def _random(case: Case) -> Blame:
    """A uniform draw: the control that every other score has to beat."""

    def start() -> Combine:
        generator = torch.Generator().manual_seed(case.seed)
        return lambda edit, more: edit.uniform_(generator=generator)

    return Blame(edit=case.edit, combine=start, in_order=True)


_SCORES: Mapping[ScoreName, Callable[[Case], Blame]] = {
    "fisher": _fisher,
    "gradient": _gradient,
    "magnitude": _magnitude,
    "sign-conflict": _sign_conflict,
    "random": _random,
}
