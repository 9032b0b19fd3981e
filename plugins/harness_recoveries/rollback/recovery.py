"""The recovery `rollback`: scores every eligible weight, selects the highest, and undoes the delta there."""

from __future__ import annotations

import time
from collections.abc import Iterable

from harness import Problem, Recovery, RecoveryContext, StartContext, StepResult
from harness.training import ScoredCase, check_scores, importance_score
from harness.weights import SelectionSize, delta_since_peak, select_units
from harness_recoveries.rollback.against import delta_of_step
from harness_recoveries.rollback.config import RollbackConfig
from harness_recoveries.rollback.undo import undo


class Rollback(Recovery):
    """θ ← θ − strength·δ on the selected weights; δ = θ − θ_peak, or the delta of the step that `against` names."""

    def __init__(self, config: RollbackConfig) -> None:
        self.config = config

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        """Yields nothing. Raises CheckpointError if the score needs gradients that the base model does not give."""
        check_scores([self.config.score], start.model, self.config.exclude)
        return ()

    def recover(self, context: RecoveryContext) -> StepResult:
        started = time.monotonic()
        config = self.config
        if config.against is None:
            delta = delta_since_peak(context.checkpoint, context.peak_checkpoint, config.exclude)
        else:
            delta = delta_of_step(context.lineage, config.against, context.peak, config.exclude)
        context.progress(0, 2, {})
        case = ScoredCase(
            context=context,
            delta=delta,
            target=context.target,
            lineage=context.lineage,
            peak=context.peak,
            completions=config.completions,
            seed=context.seed,
            squared=config.budget is not None,
        )
        score = importance_score(config.score, case)
        context.progress(1, 2, {})
        size = SelectionSize(fraction=config.fraction, budget=config.budget)
        undone = undo(
            delta,
            context.output,
            config.strength,
            lambda folder: select_units(score.of, delta, config.granularity, size, folder),
        )
        context.progress(2, 2, {})
        now = delta.now
        return StepResult(
            cost=score.cost,
            report={
                "score": config.score,
                "granularity": config.granularity,
                "strength": config.strength,
                **({"against": config.against} if config.against is not None else {}),
                **({"budget": config.budget} if config.budget is not None else {}),
                **undone.selection.units,
                "coordinates": undone.selection.count,
                "eligible_coordinates": delta.eligible,
                "all_coordinates": sum(now.place(name).count for name in now.names()),
                "norm": undone.norm,
                "norm_of_edit" if config.against is not None else "norm_of_edit_since_peak": undone.norm_of_delta,
                "seconds": round(time.monotonic() - started, 3),
            },
        )
