"""The samples of a checkpoint, beside those of another one, and what changed between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from harness.errors import UsageError
from harness.execution.stored_samples import COLUMNS, samples_of
from harness.planning.titles import step_label
from harness.results.flips import GAINED, LOST, RIGHT_FROM, change

if TYPE_CHECKING:
    from harness.api.runs import Run

ITEM = ("domain", "task", "item")
SAMPLE = (*ITEM, "repeat")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint of a method for one seed. step: from the base model, 0. label: of the step, such as `train math`."""

    method: str
    step: int
    label: str
    seed: int
    key: str


@dataclass(frozen=True, kw_only=True)
class ItemCounts:
    """Test items of a domain by their scores. unscored: those without a score. lost: right at the other checkpoint,
    wrong at this one. gained: the reverse. Both are None if there is no other checkpoint."""

    domain: str
    items: int
    right: int
    wrong: int
    unscored: int
    lost: int | None
    gained: int | None


@dataclass(frozen=True, kw_only=True)
class CheckpointSamples:
    """The samples of a checkpoint. against: the checkpoint that they are compared with, None if there is none. frame:
    as `Run.samples` returns it."""

    checkpoint: Checkpoint
    against: Checkpoint | None
    frame: pl.DataFrame

    @property
    def graded(self) -> bool:
        """Whether there are scores other than 0 and 1."""
        return not self.frame["score"].drop_nulls().is_in([0.0, 1.0]).all()

    def counts(self) -> list[ItemCounts]:
        """Returns the numbers of items of each domain. Completions of one item count once."""
        found = []
        items = self.frame.unique(ITEM, keep="first", maintain_order=True)
        for (domain,), own in items.group_by("domain", maintain_order=True):
            right = own["right"]
            changes = own["change"] if self.against is not None else None
            found.append(
                ItemCounts(
                    domain=str(domain),
                    items=own.height,
                    right=int(right.sum()),
                    wrong=int((~right).sum()),
                    unscored=right.null_count(),
                    lost=None if changes is None else int((changes == LOST).sum()),
                    gained=None if changes is None else int((changes == GAINED).sum()),
                )
            )
        return found


def checkpoint_samples(
    run: Run,
    method: str,
    *,
    step: int = -1,
    domain: str | None = None,
    seed: int | None = None,
    against: int | str | None = None,
    right_from: float = RIGHT_FROM,
    beside: bool = False,
) -> CheckpointSamples:
    """Returns the samples of a checkpoint. Arguments and errors: as documented at `Run.samples`.

    beside: without `against`, compare with the step before, if there is one and it was scored.
    """
    if not run.has_samples:
        raise UsageError(
            "this folder has no samples",
            where=str(run.folder),
            hint="an archived leaderboard has none: name the run's own folder, beside its store",
        )
    checkpoint = checkpoint_of(run, method, step, seed)
    frame = _samples(run, checkpoint, domain, right_from)
    if against is None and beside and checkpoint.step and _step_before_is_scored(run, checkpoint, domain):
        against = checkpoint.step - 1
    if against is None:
        return CheckpointSamples(checkpoint=checkpoint, against=None, frame=frame)
    other = _other_checkpoint(run, checkpoint, against)
    return CheckpointSamples(
        checkpoint=checkpoint, against=other, frame=_joined(frame, _samples(run, other, domain, right_from))
    )


def checkpoint_of(run: Run, method: str, step: int, seed: int | None) -> Checkpoint:
    """Returns a checkpoint. Arguments and errors: as for `Run.checkpoint`."""
    seed, lineage = run._lineage(method, seed)
    key = run.checkpoint_key(method, step=step, seed=seed)
    label = step_label(run.plan.nodes[key])
    return Checkpoint(method=method, step=lineage.index(key), label=label, seed=seed, key=key)


def _other_checkpoint(run: Run, checkpoint: Checkpoint, named: int | str) -> Checkpoint:
    """Returns the checkpoint that `named` means: a step of the same method, METHOD or METHOD@STEP, with its seed."""
    try:
        return checkpoint_of(run, checkpoint.method, int(named), checkpoint.seed)
    except ValueError:
        pass
    method, at, step = str(named).rpartition("@")
    if not at:
        return checkpoint_of(run, str(named), -1, checkpoint.seed)
    try:
        return checkpoint_of(run, method, int(step), checkpoint.seed)
    except ValueError:
        raise UsageError(
            f"{named!r} is no checkpoint", hint="name a step, a method, or a step of a method as METHOD@STEP"
        ) from None


def _step_before_is_scored(run: Run, checkpoint: Checkpoint, domain: str | None) -> bool:
    """Returns whether the step before a checkpoint is scored on the domain, or on all."""
    before = run.checkpoint_key(checkpoint.method, step=checkpoint.step - 1, seed=checkpoint.seed)
    found = run.plan.evaluations.get(before, {})
    return all(run._store.has(key) for name, key in found.items() if domain in (None, name))


def _samples(run: Run, checkpoint: Checkpoint, domain: str | None, right_from: float) -> pl.DataFrame:
    if domain is not None and domain not in run.plan.scored_names:
        hint = f"one of {', '.join(run.plan.scored_names)}"
        raise UsageError(f"there is no domain {domain!r} in this run", where=str(run.folder), hint=hint)
    evaluations = run.plan.evaluations.get(checkpoint.key, {})
    chosen = evaluations if domain is None else {domain: evaluations[domain]} if domain in evaluations else {}
    rows = [
        {"domain": name} | row for name, key in chosen.items() for row in samples_of(run._stored(key), key, right_from)
    ]
    return pl.DataFrame(rows, schema={"domain": pl.String(), **COLUMNS})


def _joined(frame: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Returns the frame with the completion, score and verdict of the same item and repeat at another checkpoint."""
    columns = {name: f"{name}_before" for name in ("completion", "score", "right")}
    beside = other.select(*SAMPLE, *columns).rename(columns)
    joined = frame.join(beside, on=SAMPLE, how="left", maintain_order="left", nulls_equal=True)
    verdicts = zip(joined["right_before"], joined["right"], strict=True)
    changes = [change(before, now) for before, now in verdicts]
    return joined.with_columns(pl.Series("change", changes, dtype=pl.String()))
