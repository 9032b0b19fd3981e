"""Agreement between predictions and observed damage, with intervals, and the lead of each predictor over another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from harness.results.intervals import mean_interval

DRAWS = 2000
SEED = 20260601

Key = tuple[int, str, str, str]
"""(seed, trained, harmed, place): place distinguishes trainings of a domain by one seed, such as two in a sequence."""
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well a predictor agrees with the observed damage.

    known: before, during or after the training. cost: completions, as a share of those of the training, None if
    unknown. spearman: rank correlation, None if either is constant. ci95: its percentile interval over bootstrap
    samples of seeds and pairs. signs: the share of pairs whose sign is predicted, without those of damage 0. lead,
    lead_ci95: the correlation minus that of the reference, None for the reference itself. seed_lead, seed_lead_ci95:
    the mean over seeds of the same difference within a seed, and Student's t interval.
    """

    predictor: str
    spearman: float | None
    ci95: tuple[float, float] | None
    known: str = "before"
    cost: float | None = None
    signs: float | None = None
    lead: float | None = None
    lead_ci95: tuple[float, float] | None = None
    seed_lead: float | None = None
    seed_lead_ci95: tuple[float, float] | None = None


def agreements(
    observed: Mapping[Key, float], predictors: Mapping[str, Mapping[Key, float]], *, reference: str | None = None
) -> list[Agreement]:
    """Returns one agreement per predictor, with its lead over the predictor `reference`.

    The pairs of all seeds are ranked together. A bootstrap sample draws seeds and ordered pairs of domains with
    replacement, and uses each drawn pair with all drawn seeds and at all places, because seeds share the base model and
    their values of a pair are not independent. The interval includes the sampling error of scores only as far as it
    appears between seeds. The bootstrap is seeded.
    """
    keys = sorted(observed)
    truth = np.array([observed[key] for key in keys])
    values = {name: np.array([of[key] for key in keys]) for name, of in predictors.items()}
    draws = _draws(keys)
    drawn = {name: _drawn(truth, one, draws) for name, one in values.items()}
    result = []
    for name, one in values.items():
        correlation = rank_correlation(truth, one)
        found = Agreement(
            predictor=name,
            spearman=correlation,
            ci95=_interval(drawn[name]) if correlation is not None else None,
            signs=_signs(truth, one),
        )
        if reference is not None and name != reference and correlation is not None:
            found = _with_lead(found, keys, truth, (one, values[reference]), (drawn[name], drawn[reference]))
        result.append(found)
    return result


def _signs(truth: Array, predicted: Array) -> float | None:
    signed = truth != 0
    return float((np.sign(truth) == np.sign(predicted))[signed].mean()) if signed.any() else None


def _with_lead(
    found: Agreement, keys: Sequence[Key], truth: Array, values: tuple[Array, Array], drawn: tuple[Array, Array]
) -> Agreement:
    """Returns the agreement with its lead. values, drawn: those of the predictor and of the reference."""
    other = rank_correlation(truth, values[1])
    if other is None or found.spearman is None:
        return found
    seeds = np.array([key[0] for key in keys])
    within = []
    for seed in np.unique(seeds):
        own = seeds == seed
        both = [rank_correlation(truth[own], one[own]) for one in values]
        if both[0] is not None and both[1] is not None:
            within.append(both[0] - both[1])
    ends = mean_interval(np.array(within)) if len(within) > 1 else None
    return replace(
        found,
        lead=found.spearman - other,
        lead_ci95=_interval(drawn[0] - drawn[1]),
        seed_lead=float(np.mean(within)) if within else None,
        seed_lead_ci95=None if ends is None else (float(ends[0]), float(ends[1])),
    )


def _draws(keys: Sequence[Key]) -> list[NDArray[np.int64]]:
    places: dict[tuple[int, tuple[str, str]], list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault((key[0], key[1:3]), []).append(place)
    seeds = sorted({key[0] for key in keys})
    pairs = sorted({key[1:3] for key in keys})
    random = np.random.default_rng(SEED)
    draws = []
    for _ in range(DRAWS):
        some_seeds = random.integers(len(seeds), size=len(seeds))
        some_pairs = random.integers(len(pairs), size=len(pairs))
        chosen = [place for p in some_pairs for s in some_seeds for place in places.get((seeds[s], pairs[p]), ())]
        draws.append(np.array(chosen, dtype=np.int64))
    return draws


def _drawn(first: Array, second: Array, draws: Sequence[NDArray[np.int64]]) -> Array:
    """Returns the correlation of each bootstrap sample. Samples of equal size are batched."""
    found = np.full(len(draws), np.nan)
    sizes = np.array([len(draw) for draw in draws])
    for size in np.unique(sizes):
        places = np.flatnonzero(sizes == size)
        chosen = np.stack([draws[int(place)] for place in places])
        found[places] = _rank_correlations(first[chosen], second[chosen])
    return found


def rank_correlation(first: Sequence[float] | Array, second: Sequence[float] | Array) -> float | None:
    """Returns Spearman's rank correlation with mean ranks for ties, None for fewer than three points or if either
    sequence is constant."""
    value = float(_rank_correlations(np.array([first]), np.array([second]))[0])
    return None if np.isnan(value) else value


def _rank_correlations(first: Array, second: Array) -> Array:
    """Returns the rank correlation of each row (Pearson's correlation of the ranks), nan if it is undefined."""
    if first.shape[1] < 3:
        return np.full(len(first), np.nan)
    one, two = (rankdata(values, axis=1) - (values.shape[1] + 1) / 2 for values in (first, second))
    norm = np.sqrt((one**2).sum(axis=1) * (two**2).sum(axis=1))
    found: Array = np.full(len(first), np.nan)
    np.divide((one * two).sum(axis=1), norm, out=found, where=norm > 0)
    return found


def _interval(values: Array) -> tuple[float, float] | None:
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
