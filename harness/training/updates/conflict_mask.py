"""The update mask of a recovery: its target's conflict weights, which `rollback` with the same settings sets back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.plugin.interfaces import Cost, LineageEntry
from harness.plugin.recovery_interface import RecoveryContext
from harness.training.conflict_settings import ConflictSettings
from harness.training.importance import ScoredCase, importance_score
from harness.training.updates.mask_file import Mask, write_mask
from harness.weights import SelectionSize, check_gradient_names, delta_since_peak, select_units

_FILE = "conflict-mask.safetensors"


@dataclass(frozen=True, kw_only=True)
class ConflictMask:
    """file: the mask. cost: of the completions that were sampled. report: the settings, and the numbers of selected
    and of eligible weights."""

    file: Path
    cost: Cost
    report: dict[str, Any]


def conflict_mask(context: RecoveryContext, settings: ConflictSettings) -> ConflictMask:
    """Returns the mask of the weights whose change since the target's peak did the most damage.

    The change is that from the peak to the last training of another domain. After a rollback, the mask is therefore
    that of the weights that it set back. A resumed step reads the mask of the killed one. Raises CheckpointError where
    the files have other weights than the loaded model, and the errors of `importance_score` and `select_units`.
    """
    file = context.scratch / _FILE
    if not file.exists():
        _write(context, settings, file)
    about = Mask(file).about
    return ConflictMask(file=file, cost=Cost(**about["cost"]), report=about["report"])


def _write(context: RecoveryContext, settings: ConflictSettings, file: Path) -> None:
    damaged = _damaged(context)
    delta = delta_since_peak(damaged[-1].folder, context.peak_checkpoint, settings.exclude)
    check_gradient_names(damaged[-1].folder, delta.names)
    case = ScoredCase(
        context=context,
        delta=delta,
        target=context.target,
        lineage=damaged,
        peak=context.peak,
        completions=settings.completions,
        seed=context.seed,
    )
    score = importance_score(settings.score, case)
    size = SelectionSize(fraction=settings.fraction)
    selection = select_units(score.of, delta, settings.granularity, size, context.scratch)
    report = {
        "score": settings.score,
        "granularity": settings.granularity,
        "fraction": settings.fraction,
        **selection.units,
        "coordinates": selection.count,
        "eligible_coordinates": delta.eligible,
    }
    write_mask(file, delta.now, delta.names, selection, {"cost": asdict(score.cost), "report": report})


def _damaged(context: RecoveryContext) -> Sequence[LineageEntry]:
    """Returns the lineage up to the last training of another domain than the target; all of it if there is none."""
    others = [entry.step for entry in context.lineage if set(entry.domains) - {context.target}]
    last = max(others, default=0)
    return context.lineage[: last + 1] if last > context.peak else context.lineage
