"""The table of recoveries: what each undid, what it cost the other domains, and what it trained and sampled."""

from __future__ import annotations

from harness.report.tables.layout import MISSING, TextTable, count_text, decimals, interval, name_of, number
from harness.results.estimates import DAMAGE_NOT_SHOWN, NOT_DAMAGED
from harness.results.leaderboard import Leaderboard, RecoveryResult, TargetResult

COST = "Optimizer steps, completions: of the recovery alone, or of a chain of recoveries up to it; means over seeds."


def by_target(one: RecoveryResult) -> list[tuple[str, str | None, TargetResult]]:
    """Returns the recovery and each of several targets: its name, its column (None for a mean), and its numbers."""
    whole = (one.target, None if one.targets else one.target, one)
    return [whole, *((name, name, target) for name, target in one.targets.items())]


def spent(one: RecoveryResult) -> tuple[str, str]:
    """Returns the optimizer steps and completions of a recovery as text."""
    cost = one.cost
    return (MISSING, MISSING) if cost is None else (count_text(cost.optimizer_steps), count_text(cost.completions))


def recovery_table(leaderboard: Leaderboard) -> TextTable:
    """Returns one row per recovery: the target's scores, the recovery ratio, and the loss of the other domains.

    A recovery of several targets has a row for their means and one per target.
    """
    rows = []
    for row in leaderboard.rows:
        for one in row.recoveries:
            losses = [interval(loss, decimals(leaderboard)) for loss in (one.collateral, one.net)]
            for name, column, target in by_target(one):
                digits = decimals(leaderboard, column)
                scores = [number(score.mean, digits) for score in (target.peak, target.damaged, target.recovered)]
                of_step = [*losses, *spent(one)] if target is one else [MISSING] * 4
                ratio, remark = interval(target.ratio, 2), target.remark or MISSING
                rows.append((name_of(row), one.plugin, name, *scores, ratio, *of_step, remark))
    remarks = any(one.remark for row in leaderboard.rows for one in row.recoveries)
    return TextTable(
        title="Recoveries",
        subtitle="Scores of a domain that later training harmed, before and after its recovery",
        columns=(
            "Method",
            "With",
            "Target",
            "Peak",
            "Damaged",
            "Recovered",
            "Recovery ratio",
            "Collateral",
            "Net change of others",
            "Optimizer steps",
            "Completions",
            *(["Remark"] if remarks else []),
        ),
        rows=tuple(row if remarks else row[:-1] for row in rows),
        notes=tuple(recovery_notes(leaderboard)),
    )


def recovery_notes(leaderboard: Leaderboard) -> list[str]:
    """Returns explanations of the columns, and of the remarks that occur."""
    found = [one for row in leaderboard.rows for one in row.recoveries]
    remarks, kinds = {one.remark for one in found}, {one.ratio.interval for one in found}
    notes = ["Recovery ratio: (recovered − damaged) / (peak − damaged), of the means over seeds."]
    if "fieller" in kinds:
        notes.append("Brackets of a ratio: Fieller's 95 % interval over seeds.")
    if "sampling" in kinds:
        notes.append("Brackets of a ratio with one seed: Fieller's 95 % interval over the test items.")
    if NOT_DAMAGED in remarks:
        notes.append(f"{_capital(NOT_DAMAGED)}: it did not fall below its peak, so there is no damage to recover.")
    if DAMAGE_NOT_SHOWN in remarks:
        notes.append(
            f"{_capital(DAMAGE_NOT_SHOWN)}: the target fell below its peak, but no interval excludes a damage of 0. "
            "The interval of the ratio, if any, is then not bounded."
        )
    return [*notes, "Collateral: mean over the other domains of max(0, before − after).", COST]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
