"""What came out of a run, in sentences made from its numbers and their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.report.captions import listed, unit
from harness.report.looks import Pair, paired
from harness.report.plasticity import plasticity
from harness.report.tables.layout import decimals, interval, number
from harness.results.compare import paired_differences
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, RecoveryResult, Row

MOST_TARGETS = 4
MOST_RECOVERIES = 4


def headline(leaderboard: Leaderboard) -> list[str]:
    """Returns the sentences. A number whose interval includes 0 is called not shown, and nothing that one seed cannot
    show is claimed."""
    rows = [row for row in leaderboard.rows if not row.reference]
    ranked = [row for row in rows if row.rank is not None]
    found = [
        *_best(leaderboard, ranked),
        *_gains(leaderboard, rows),
        *_recoveries(leaderboard),
        *_forgotten(leaderboard, rows),
    ]
    return found or ["No method has all of its scores yet."]


def capital(text: str) -> str:
    """Returns the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def shows_a_difference(one: Estimate) -> bool:
    """Returns whether an interval exists and excludes 0."""
    return one.ci95 is not None and not one.ci95[0] <= 0.0 <= one.ci95[1]


def _points(leaderboard: Leaderboard, columns: Sequence[str]) -> str:
    return "points" if unit(leaderboard, columns) == "percent" else "units of its score"


def _best(leaderboard: Leaderboard, ranked: Sequence[Row]) -> Iterator[str]:
    if not ranked:
        return
    best, others = ranked[0], [row.method for row in ranked[1:] if row.rank_group == 1]
    sign = " %" if unit(leaderboard, leaderboard.averaged) == "percent" else ""
    average = f"{interval(best.average, decimals(leaderboard))}{sign}"
    text = f"{best.method} has the highest average, {average}"
    if len(ranked) == 1:
        yield f"{best.method} is the only method with all scores: an average of {average}."
    elif max(len(row.seeds) for row in ranked) < 2:
        yield f"{text}; with one seed, whether it is better than {listed(others, 4)} is not shown."
    elif others:
        doing = "does" if len(others) == 1 else "do"
        yield f"{text}; {listed(others, 4)} {doing} not differ significantly from it on these seeds."
    else:
        yield f"{text}, significantly ahead of every other method."


def _gains(leaderboard: Leaderboard, rows: Sequence[Row]) -> Iterator[str]:
    """Yields the gain of training, for the method in which it was largest, the shortest of several."""
    known = [
        (one.mean, row, one) for row in rows for one in [plasticity(row, leaderboard.roles)] if one.mean is not None
    ]
    if known:
        _, row, one = max(known, key=lambda entry: (round(entry[0], 9), -len(entry[1].trajectory)))
        text = f"{interval(one, decimals(leaderboard))} {_points(leaderboard, leaderboard.averaged)}"
        if shows_a_difference(one):
            verb = "raised" if one.mean is not None and one.mean > 0 else "changed"
            yield f"Training {verb} a domain's score by {text} on average in {row.method}, the most of all methods."
        else:
            yield f"That training raised a domain's score is not shown: by {text} on average in {row.method}, the most."


def _recoveries(leaderboard: Leaderboard) -> Iterator[str]:
    """Yields a sentence for each damage that was recovered, with all recoveries of it."""
    damages: dict[tuple[str, tuple[float | None, ...]], list[Pair]] = {}
    for pair in paired(leaderboard):
        one = pair.result
        if one.damage.mean is not None and one.recovered.mean is not None:
            damages.setdefault((one.target, one.damaged.per_seed), []).append(pair)
    for pairs in list(damages.values())[:MOST_TARGETS]:
        one = pairs[0].result
        digits = decimals(leaderboard, None if one.targets else one.target)
        after = _after(leaderboard.row(pairs[0].method), one)
        loss = f"{interval(one.damage, digits)} {_points(leaderboard, (one.target,))}"
        if not shows_a_difference(one.damage) or (one.damage.mean or 0.0) <= 0:
            yield (
                f"That {one.target} fell{after} is not shown ({loss}), so neither is what "
                f"{listed([pair.method for pair in pairs], 4)} undid."
            )
            continue
        parts = [_undone(pair) for pair in pairs[:MOST_RECOVERIES]]
        more = f" {len(pairs) - MOST_RECOVERIES} more recoveries are below." if pairs[MOST_RECOVERIES:] else ""
        yield f"{capital(one.target)} fell by {loss}{after}; {'; '.join(parts)}.{more}"
        yield from (text for pair in pairs[:MOST_RECOVERIES] for text in _against_control(leaderboard, pair))


def _after(row: Row, one: RecoveryResult) -> str:
    """Returns the trainings between the target's own and its recovery."""
    steps = [step for step in row.trajectory if step.step < one.step and step.recovered is None]
    own = max((step.step for step in steps if set(one.peaks) & set(step.trained)), default=0)
    later = [domain for step in steps if step.step > own for domain in step.trained]
    return f" after {listed(list(dict.fromkeys(later)), 4)}" if later else ""


def _undone(pair: Pair) -> str:
    text = _share(pair.method, pair.result)
    if pair.control is not None:
        name, control = pair.control
        text += f" (its random control {name}: {_ratio(control.ratio)})"
    return text


def _share(method: str, one: RecoveryResult) -> str:
    if one.ratio.mean is None:
        return f"what {method} undid is not defined"
    if not shows_a_difference(one.ratio):
        return f"that {method} undid any of it is not shown, {_ratio(one.ratio)}"
    return f"{method} undid {_ratio(one.ratio)} of it"


def _ratio(one: Estimate) -> str:
    return interval(one, 2) if one.mean is not None else "not defined"


def _against_control(leaderboard: Leaderboard, pair: Pair) -> Iterator[str]:
    if pair.control is None:
        return
    one = paired_differences(leaderboard, pair.method, pair.control[0])
    target = one.scores.get(pair.result.target)
    if target is None or target.mean is None or len(one.seeds) < 2:
        return
    text = (
        f"{interval(target, decimals(leaderboard, pair.result.target))} {_points(leaderboard, (pair.result.target,))}"
    )
    if shows_a_difference(target):
        yield f"Seed by seed, {pair.method} ends {text} above {pair.control[0]} in {pair.result.target}."
    else:
        yield (
            f"Seed by seed, a difference between {pair.method} and {pair.control[0]} in {pair.result.target} is not "
            f"shown: {text}."
        )


def _forgotten(leaderboard: Leaderboard, rows: Sequence[Row]) -> Iterator[str]:
    """Yields the largest forgetting of a domain in methods that recover nothing."""
    losses = [
        (one.mean, row, column, one)
        for row in rows
        if not row.recoveries
        for column, one in row.forgetting_by_domain.items()
        if one.mean is not None and one.mean > 0
    ]
    worst = sorted(losses, key=lambda entry: -entry[0])[:1]
    for mean, row, column, one in worst:
        digits = decimals(leaderboard, column)
        text = f"{interval(one, digits)} {_points(leaderboard, (column,))}"
        if shows_a_difference(one):
            yield f"Without a recovery, the largest forgetting is that of {column} in {row.method}: {text}."
        else:
            yield (
                f"Without a recovery, no forgetting of a domain is larger than {number(mean, digits)} "
                f"{_points(leaderboard, (column,))}, and that one is not shown: {column} in {row.method}, {text}."
            )
