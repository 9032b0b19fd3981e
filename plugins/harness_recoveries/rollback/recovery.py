"""The rollback itself: score every eligible coordinate, take the highest, undo their edit, keep the rest."""

from __future__ import annotations

import time

from harness import Recovery, RecoveryContext, StepResult
from harness_recoveries.rollback.choice import Size, choose
from harness_recoveries.rollback.config import RollbackConfig
from harness_recoveries.rollback.edit import edit_of, edit_since_peak
from harness_recoveries.rollback.scores import Case, blame_by
from harness_recoveries.rollback.undo import undo


class Rollback(Recovery):
    """θ ← θ − strength·δ on the chosen coordinates, δ = θ − θ_peak, or the edit of the step that `against` names."""

    def __init__(self, config: RollbackConfig) -> None:
        self.config = config

    def recover(self, context: RecoveryContext) -> StepResult:
        started = time.monotonic()
        config = self.config
        if config.against is None:
            edit = edit_since_peak(context.checkpoint, context.peak_checkpoint, config.exclude)
        else:
            edit = edit_of(context.lineage, config.against, context.peak, config.exclude)
        context.progress(0, 2, {})
        case = Case(
            context=context,
            edit=edit,
            target=context.target,
            lineage=context.lineage,
            peak=context.peak,
            completions=config.completions,
            seed=context.seed,
            squared=config.budget is not None,
        )
        blame = blame_by(config.score, case)
        context.progress(1, 2, {})
        size = Size(fraction=config.fraction, budget=config.budget)
        undone = undo(
            edit,
            context.output,
            config.strength,
            lambda folder: choose(blame.of, edit, config.granularity, size, folder),
        )
        context.progress(2, 2, {})
        now = edit.now
        return StepResult(
            cost=blame.cost,
            report={
                "score": config.score,
                "granularity": config.granularity,
                "strength": config.strength,
                **({"against": config.against} if config.against is not None else {}),
                **({"budget": config.budget} if config.budget is not None else {}),
                **undone.choice.units,
                "coordinates": undone.choice.count,
                "eligible_coordinates": edit.eligible,
                "all_coordinates": sum(now.place(name).count for name in now.names()),
                "norm": undone.norm,
                "norm_of_edit" if config.against is not None else "norm_of_edit_since_peak": undone.norm_of_edit,
                "seconds": round(time.monotonic() - started, 3),
            },
        )
