"""How often do the harness's 95 % intervals hold the true value, and how often do its tests err?

Simulated runs: a seed's number is the true mean plus a normal effect of the seed (SD 1) plus a normal sampling error
(SD 0, ½, 1 or 5). The intervals are those of `harness.results.intervals`, by its own functions. Prints the tables and
writes them into README.md beside this file; ends with 1 where a coverage is outside 93 to 97 %. Takes about two minutes
of one core.

    python benchmarks/coverage.py
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.prediction.agreement import agreements, rank_correlation
from harness.results.estimates import estimate
from harness.results.intervals import holm, mean_interval, paired_p_value, ratio_set
from harness.results.item_scores import item_score
from harness.results.metrics import Score, difference

SEEDS = (2, 3, 5, 10)
SAMPLING = (0.0, 0.5, 1.0, 5.0)
RUNS = 40_000
RANK_RUNS = 200
LOWEST, HIGHEST = 93.0, 97.0
DAMAGES = (10.0, 1.0, 0.0)
"""True damages, in units of one seed's SD: firm, hardly there, none."""
RATIO = 0.8
README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- coverage.py begins -->\n", "<!-- coverage.py ends -->\n"
Array = NDArray[np.float64]


def draws(random: np.random.Generator, seeds: int, sampling: float, *, domains: int = 1) -> Array:
    """Returns runs × domains × seeds: a seed's effect, which its domains share in half, and a sampling error each."""
    own = random.normal(size=(RUNS, domains, seeds))
    shared = random.normal(size=(RUNS, 1, seeds))
    effect = own if domains == 1 else math.sqrt(0.5) * (own + shared)
    found: Array = effect + sampling * random.normal(size=(RUNS, domains, seeds))
    return found


def covered(ends: tuple[Array, Array], truth: float) -> float:
    """Returns the percentage of intervals that hold the truth."""
    return 100 * float(((ends[0] <= truth) & (truth <= ends[1])).mean())


def of_means(random: np.random.Generator, seeds: int, sampling: float) -> float:
    """Returns the coverage of the mean over seeds."""
    return covered(mean_interval(70 + draws(random, seeds, sampling)[:, 0]), 70)


def of_differences(random: np.random.Generator, seeds: int, sampling: float) -> float:
    """Returns the coverage of the paired difference of two methods whose seeds' effects are correlated."""
    both = draws(random, seeds, sampling, domains=2)
    return covered(mean_interval((72 + both[:, 0]) - (70 + both[:, 1])), 2)


def of_ratios(random: np.random.Generator, seeds: int, sampling: float, damage: float) -> tuple[float, float]:
    """Returns the coverage of the recovery ratio, and the percentage of intervals that are bounded.

    damage: in units of the SD of one seed's number. Without damage or recovery every ratio fits; the coverage is then
    that of one of them.
    """
    peak, damaged, recovered = np.moveaxis(draws(random, seeds, sampling, domains=3), 1, 0)
    points = damage * math.hypot(1.0, sampling)
    found = ratio_set((recovered + RATIO * points) - damaged, (peak + points) - damaged)
    truth = RATIO if damage else 1.0
    return 100 * float(found.contains(truth).mean()), 100 * float(found.bounded.mean())


def of_proportions(random: np.random.Generator, seeds: int, items: int, share: float) -> float:
    """Returns the coverage of a domain's score over seeds, each the share of right answers among its items."""
    counts = random.binomial(items, share, size=(RUNS // 10, seeds))
    scores = {count: proportion(count, items) for count in range(items + 1)}
    found = [estimate([scores[count] for count in run]).ci95 for run in counts.tolist()]
    ends = np.array([one if one is not None else (math.nan, math.nan) for one in found])
    return covered((ends[:, 0], ends[:, 1]), 100 * share)


def of_one_seeds_difference(random: np.random.Generator, items: int, share: float) -> float:
    """Returns the coverage of the difference of two checkpoints of one seed, each scored on items of its own."""
    counts = random.binomial(items, [share, share - 0.05], size=(RUNS // 10, 2))
    scores = {count: proportion(count, items) for count in range(items + 1)}
    found = [difference(scores[one], scores[other]).ci95 or (math.nan, math.nan) for one, other in counts.tolist()]
    ends = np.array(found)
    return covered((ends[:, 0], ends[:, 1]), 5.0)


def proportion(right: int, items: int) -> Score:
    """Returns the score of so many right answers, as lm-eval measures it."""
    share = right / items
    return item_score(share, math.sqrt(share * (1 - share) / (items - 1)), items, percent=True)


def false_findings(random: np.random.Generator, seeds: int, methods: int) -> tuple[float, float]:
    """Returns in what percentage of runs one of several equal methods is told apart from another: as ranks are, with
    Holm's correction over all pairs, and without a correction."""
    corrected = raw = 0
    runs = RUNS // 40
    for _ in range(runs):
        numbers = random.normal(size=(methods, seeds))
        pairs = [numbers[one] - numbers[other] for one in range(methods) for other in range(one)]
        p_values = [paired_p_value(list(pair)) for pair in pairs]
        raw += min(value for value in p_values if value is not None) <= 0.05
        corrected += min(value for value in holm(p_values) if value is not None) <= 0.05
    return 100 * corrected / runs, 100 * raw / runs


def of_rank_correlations(random: np.random.Generator, correlation: float) -> float:
    """Returns the coverage of Spearman's correlation by `harness predict --check`: 12 pairs on 3 seeds, each seed's
    prediction and damage of a pair off by an error of SD 0.3."""

    def drawn(pairs: int, seeds: int) -> tuple[Array, Array]:
        predicted, own = random.normal(size=(2, pairs))
        damage = correlation * predicted + math.sqrt(1 - correlation**2) * own
        return tuple(of + 0.3 * random.normal(size=(seeds, pairs)) for of in (damage, predicted))  # type: ignore[return-value]

    truth = rank_correlation(*(of[0] for of in drawn(200_000, 1))) or 0.0
    held = 0
    for _ in range(RANK_RUNS):
        observed, predictor = (
            {(seed, "on", str(pair), ""): float(value) for (seed, pair), value in np.ndenumerate(of)}
            for of in drawn(12, 3)
        )
        [found] = agreements(observed, {"prediction": predictor})
        held += found.ci95 is not None and found.ci95[0] <= truth <= found.ci95[1]
    return 100 * held / RANK_RUNS


def table(head: str, rows: Iterator[list[str]]) -> list[str]:
    """Returns a Markdown table."""
    columns = head.split(" | ")
    return [f"| {head} |", f"|{'---|' * len(columns)}", *(f"| {' | '.join(row)} |" for row in rows), ""]


def main() -> int:
    """Prints the tables, writes them into the README, and returns the exit code."""
    start = time.process_time()
    random = np.random.default_rng(20261130)
    outside: list[float] = []

    def told(coverage: float) -> str:
        if not LOWEST <= coverage <= HIGHEST:
            outside.append(coverage)
        return f"{coverage:.1f}"

    def normal() -> Iterator[list[str]]:
        for seeds in SEEDS:
            for sampling in SAMPLING:
                ratios = [of_ratios(random, seeds, sampling, damage) for damage in DAMAGES]
                shown = [f"{told(coverage)} ({bounded:.0f})" for coverage, bounded in ratios]
                means = [told(of(random, seeds, sampling)) for of in (of_means, of_differences)]
                yield [str(seeds), f"{sampling:g}", *means, *shown]

    def proportions() -> Iterator[list[str]]:
        for share in (0.5, 0.9, 0.99):
            for items in (10, 50, 500):
                cells = [f"{of_proportions(random, seeds, items, share):.1f}" for seeds in (1, *SEEDS)]
                yield [f"{share:g}", str(items), *cells, f"{of_one_seeds_difference(random, items, share):.1f}"]

    def findings() -> Iterator[list[str]]:
        for methods in (2, 5, 8):
            for seeds in (3, 10):
                corrected, raw = false_findings(random, seeds, methods)
                yield [str(methods), str(seeds), f"{corrected:.1f}", f"{raw:.1f}"]

    correlations = [[f"{c:g}", f"{of_rank_correlations(random, c):.1f}"] for c in (0.0, 0.7, 0.9)]
    firm, weak, none = (f"ratio, damage {damage:g} SD" for damage in DAMAGES)
    lines = [
        f"Coverage of 95 % intervals in percent, {RUNS:,} simulated runs per cell; the Monte-Carlo error is "
        f"{100 * math.sqrt(0.05 * 0.95 / RUNS):.2f}. In brackets: percent of intervals that are bounded. SD: of one "
        "seed's number.",
        "",
        *table(f"seeds | sampling SD / seeds' SD | mean | difference | {firm} | {weak} | {none}", normal()),
        f"Scores of 0 or 1 per item, without differences between seeds, {RUNS // 10:,} runs per cell (error 0.34): "
        "Wilson's interval for one seed, and for seeds that agree; else Student's t.",
        "",
        *table("true share | items | 1 seed | 2 | 3 | 5 | 10 | one seed's difference", proportions()),
        f"Equal methods reported as different, in percent of {RUNS // 40:,} runs (error 0.7):",
        "",
        *table("methods | seeds | Holm over all pairs | no correction", findings()),
        f"Rank correlations of predictions, by bootstrap of pairs and seeds, {RANK_RUNS} runs per row (error 1.5):",
        "",
        *table("true correlation of pairs | coverage", iter(correlations)),
    ]
    text = "\n".join(lines)
    print(text)
    within = "All" if not outside else f"{len(outside)} NOT all"
    print(f"{within} of the first table's coverages are within {LOWEST:.0f} to {HIGHEST:.0f} %.")
    print(f"{time.process_time() - start:.0f} s of processor time", file=sys.stderr)
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}{text}{END}{after}", encoding="utf-8")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
