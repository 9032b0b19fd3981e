"""Finds the training rows that the reward cannot judge, when the data are loaded.

During training, such a row wastes its group of completions, and too many of them stop the step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.domains.data.table import SOURCE_ROW, SOURCE_TEXT
from harness.errors import HarnessError, PluginError, StepFailed, UsageError
from harness.plugin.interfaces import Reward, TrainingDomain

if TYPE_CHECKING:
    from datasets import Dataset

Unjudgeable = Literal["drop", "refuse"]
SHOWN = 5
REPORTED = 100


@dataclass(frozen=True, kw_only=True)
class UnjudgeableRow:
    """A training row that its reward cannot judge: its place in the data, and the reason."""

    row: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class JudgeableRows:
    """The training rows that the reward can judge, the number of all rows, and the rows that were left out."""

    rows: Dataset
    total: int
    left_out: tuple[UnjudgeableRow, ...]

    def report(self) -> dict[str, Any]:
        """Returns the entry of a step's report: the counts, and the first `REPORTED` rows that were left out."""
        named = [{"row": row.row, "reason": row.reason} for row in self.left_out[:REPORTED]]
        return {"rows": self.total, "left_out": len(self.left_out), "first": named}


def judgeable_rows(domain: TrainingDomain, seed: int) -> JudgeableRows:
    """Returns the domain's training rows without those that its reward cannot judge, in the same order.

    The columns `source_row` and `source_text` are removed. Raises StepFailed if there is no row with a prompt, or none
    that can be judged, and PluginError if the reward's `unjudgeable` breaks its contract.
    """
    return judgeable_of(domain, domain.domain.training_data(seed))


def judgeable_of(domain: TrainingDomain, data: Dataset) -> JudgeableRows:
    """Does what `judgeable_rows` does, on training data that are loaded."""
    if len(data) == 0:
        raise StepFailed(f"the domain {domain.name} has no training prompts")
    if "prompt" not in data.column_names:
        raise StepFailed(
            f"the training data of {domain.name} have no column 'prompt'",
            hint=f"they have {', '.join(data.column_names)}",
        )
    places = data[SOURCE_ROW][:] if SOURCE_ROW in data.column_names else None
    rows = data.remove_columns([name for name in (SOURCE_ROW, SOURCE_TEXT) if name in data.column_names])
    reasons = _reasons(domain, rows)
    left_out = tuple(
        UnjudgeableRow(row=places[index] if places else f"row {index + 1} of the training data", reason=reason)
        for index, reason in enumerate(reasons)
        if reason is not None
    )
    if len(left_out) == len(rows):
        raise StepFailed(
            f"none of the {len(rows)} training rows of {domain.name} can be judged: {listed(left_out)}",
            where=domain.reward_label,
            hint="check the column that the reward reads, or choose another reward for the domain",
        )
    if left_out:
        rows = rows.select([index for index, reason in enumerate(reasons) if reason is None])
    return JudgeableRows(rows=rows, total=len(reasons), left_out=left_out)


def refuse(domain: str, found: JudgeableRows) -> None:
    """Raises UsageError if rows were left out, for `unjudgeable: refuse`."""
    if found.left_out:
        raise UsageError(
            f"{len(found.left_out)} of the {found.total} training rows of {domain} cannot be judged:"
            f" {listed(found.left_out)}",
            hint="correct or remove the rows, or set `unjudgeable: drop` under train to leave them out",
        )


def listed(rows: Sequence[UnjudgeableRow]) -> str:
    """Returns the first rows with their reasons, and the number of the others."""
    more = f"; and {len(rows) - SHOWN:,} more" if len(rows) > SHOWN else ""
    return "; ".join(f"{row.row}: {row.reason}" for row in rows[:SHOWN]) + more


def _reasons(domain: TrainingDomain, rows: Dataset) -> list[str | None]:
    reward, where = domain.reward, domain.reward_label or f"reward of {domain.name}"
    if reward is None or type(reward).unjudgeable is Reward.unjudgeable:  # sampling alone needs no reward
        return [None] * len(rows)
    prompts = rows["prompt"][:]
    columns: list[Mapping[str, Any]] = rows.remove_columns("prompt").to_list() or [{} for _ in prompts]
    try:
        reasons = list(reward.unjudgeable(prompts, columns))
    except HarnessError:
        raise
    except Exception as error:
        raise PluginError(f"unjudgeable raised {type(error).__name__}: {error}", where=where) from error
    if len(reasons) != len(prompts) or not all(reason is None or isinstance(reason, str) for reason in reasons):
        raise PluginError(
            f"unjudgeable returned {reasons!r:.80} for {len(prompts)} rows",
            where=where,
            hint="return a reason, or None, for each row in order",
        )
    return reasons
