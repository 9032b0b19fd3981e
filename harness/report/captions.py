"""Phrases that figure captions share: seeds, intervals and test items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.report.tables.layout import interval, number
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard


def listed(names: Sequence[str], most: int = 8) -> str:
    """Returns the first `most` names, separated by commas, and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def over_seeds(seeds: Sequence[int], *, sampling: bool = True) -> str:
    """Returns a sentence on the seeds of a mean and its interval. sampling: one seed has an interval over items."""
    if len(seeds) > 1:
        listed_seeds = listed([str(seed) for seed in seeds])
        return f"Mean over {len(seeds)} seeds ({listed_seeds}), with 95 % intervals over seeds by Student's t."
    one = f"One seed ({', '.join(map(str, seeds))})" if seeds else "One seed"
    if sampling:
        return (
            f"{one}: 95 % intervals over the test items (Wilson's for a proportion, otherwise Student's t), which do "
            "not include the variation between seeds."
        )
    return f"{one}: no interval."


def over_scored_seeds(leaderboard: Leaderboard) -> str:
    """Returns `over_seeds` for the seeds that have scores, and names the seeds that are not scored yet."""
    scored: dict[int, bool] = {}
    for row in leaderboard.rows:
        for place, seed in enumerate(row.seeds):
            there = [score.per_seed[place] is not None for score in row.scores.values() if len(score.per_seed) > place]
            scored[seed] = scored.get(seed, False) or any(there)
    seeds = [seed for seed in leaderboard.seeds if scored.get(seed, False)]
    if len(seeds) == len(leaderboard.seeds) or not seeds:
        return over_seeds(leaderboard.seeds)
    missing = listed([str(seed) for seed in leaderboard.seeds if seed not in seeds])
    return f"{over_seeds(seeds)} Not scored yet: seed{'s' if missing.count(',') else ''} {missing}."


def items(leaderboard: Leaderboard) -> str:
    """Returns the number of test items of a score, such as `n = 512 test items per domain and seed.`"""
    counts = sorted({score.n for row in leaderboard.rows for score in row.scores.values() if score.n})
    if not counts:
        return ""
    spread = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"n = {spread} test items per domain and seed."


def unit(leaderboard: Leaderboard, columns: Iterable[str]) -> str:
    """Returns the unit of scores: percent if all columns are percentages, otherwise the unit of their tasks."""
    percent = all(leaderboard.measurement[c].percent for c in columns if c in leaderboard.measurement)
    return "percent" if percent else "unit of its tasks"


def with_interval(estimate: Estimate | None, digits: int) -> str:
    """Returns the text of an estimate in a tooltip: `92.4, 95 % interval 91.0 to 93.8`."""
    if estimate is None or estimate.mean is None:
        return interval(estimate, digits)
    mean = number(estimate.mean, digits)
    if estimate.interval == "unbounded":
        return f"{mean}, 95 % interval not bounded"
    if estimate.ci95 is None:
        return mean
    return f"{mean}, 95 % interval {number(estimate.ci95[0], digits)} to {number(estimate.ci95[1], digits)}"
