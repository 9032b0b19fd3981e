"""Differences between methods as tables: of one method and another, or of one and several with Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import UsageError
from harness.report.tables.layout import MISSING, TextTable, decimals, header, interval, interval_notes, number, p_text
from harness.results.compare import PairedDifferences
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard

AVERAGE, FORGETTING = "average", "forgetting"


@dataclass(frozen=True, kw_only=True)
class ComparedScore:
    """What methods are compared in. head: its name in a table. lower: whether lower is better. differences: in the
    order of the compared methods, each with its p-value and the corrected one."""

    name: str
    head: str
    digits: int
    lower: bool
    differences: tuple[tuple[Estimate, float | None, float | None], ...]

    def ahead(self, one: Estimate) -> str:
        """Returns on how many seeds the method is the better one."""
        known = [value for value in one.per_seed if value is not None]
        return f"{sum(value < 0 if self.lower else value > 0 for value in known)} of {len(known)} seeds"


def compared_scores(
    leaderboard: Leaderboard, found: Sequence[PairedDifferences], names: Sequence[str] = ()
) -> list[ComparedScore]:
    """Returns the average, the mean forgetting and the columns in which all of `found` have a difference.

    names: only these, in this order. Raises UsageError for one that there is not.
    """
    digits, empty = decimals(leaderboard) + 1, Estimate()
    made = [
        ComparedScore(
            name=AVERAGE,
            head=AVERAGE,
            digits=digits,
            lower=False,
            differences=tuple((one.average, one.average_p_value, one.average_holm_p_value) for one in found),
        ),
        ComparedScore(
            name=FORGETTING,
            head=f"{FORGETTING} ↓",
            digits=digits,
            lower=True,
            differences=tuple((one.forgetting, one.forgetting_p_value, one.forgetting_holm_p_value) for one in found),
        ),
    ]
    made += [
        ComparedScore(
            name=column,
            head=header(leaderboard, column),
            digits=decimals(leaderboard, column) + 1,
            lower=not leaderboard.higher_is_better(column),
            differences=tuple(
                (one.scores.get(column, empty), one.p_values.get(column), one.holm_p_values.get(column))
                for one in found
            ),
        )
        for column in leaderboard.columns
    ]
    known = [one for one in made if any(difference.mean is not None for difference, _, _ in one.differences)]
    if not names:
        return known
    by_name = {one.name: one for one in reversed(known)}
    for name in names:
        if name not in by_name:
            choices = ", ".join(one.name for one in known)
            raise UsageError(f"these methods are not compared in {name!r}", hint=f"choose from {choices}")
    return [by_name[name] for name in names]


def comparison_table(
    leaderboard: Leaderboard, found: Sequence[PairedDifferences], scores: Sequence[ComparedScore]
) -> TextTable:
    """Returns one row per score for a single difference, with the difference of each seed; for several, one row per
    compared method, with the difference and the corrected p-value in each score."""
    one = found[0]
    columns: tuple[str, ...]
    if len(found) == 1:
        columns = ("Score", "Difference", "p", *(f"Seed {seed}" for seed in one.seeds))
        rows = []
        for score in scores:
            [(difference, p_value, _)] = score.differences
            seeds = [number(value, score.digits) for value in difference.per_seed]
            rows.append((score.head, interval(difference, score.digits), p_text(p_value), *seeds))
    else:
        heads = [head for score in scores for head in (score.head, "p (Holm)", "better on")]
        columns, rows = ("Compared with", *heads), []
        for place, other in enumerate(found):
            cells = [other.other]
            for score in scores:
                difference, _, corrected = score.differences[place]
                known = difference.mean is not None
                cells += [interval(difference, score.digits), p_text(corrected)]
                cells.append(score.ahead(difference) if known else MISSING)
            rows.append(tuple(cells))
    return TextTable(
        title=f"{one.method} − {one.other if len(found) == 1 else 'each'}",
        subtitle=f"{leaderboard.protocol}, paired by seed, with 95 % intervals",
        columns=columns,
        rows=tuple(rows),
        notes=tuple(difference_notes(leaderboard, found, "methods")),
    )


def comparison_markdown(
    leaderboard: Leaderboard, found: Sequence[PairedDifferences], scores: Sequence[ComparedScore]
) -> str:
    """Returns `comparison_table` as Markdown."""
    from harness.report.tables.markdown import markdown_table

    return markdown_table(comparison_table(leaderboard, found, scores))


def difference_notes(leaderboard: Leaderboard, found: Sequence[PairedDifferences], compared: str) -> list[str]:
    """Returns notes on intervals and p-values. compared: what differs, `methods` or `runs`."""
    shown = [estimate for one in found for estimate in (*one.scores.values(), one.average, one.forgetting)]
    notes = interval_notes(shown)
    if any(one.average_p_value is not None for one in found):
        notes.append("p: two-sided paired t test over seeds, not corrected for the number of domains.")
    if len(found) > 1:
        own = "in each score on its own; shown: at most 0.05."
        notes.append(f"p (Holm): corrected over the {len(found)} methods, {own}")
    if max((len(one.seeds) for one in found), default=0) < 2:
        notes.append(f"One seed in common: no difference between the {compared} is shown.")
    if leaderboard.roles.lower or any(one.forgetting.mean is not None for one in found):
        notes.append("↓: lower is better, so that a negative difference is the better one.")
    return notes
