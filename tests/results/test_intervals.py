"""Intervals and p-values against scipy, which computes them in its own way, and against published examples."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.results.intervals import combined_interval, holm, mean_interval, paired_p_value, ratio_set, wilson

NUMBERS = st.floats(-100, 100).map(lambda number: round(number, 3))


@given(st.lists(NUMBERS, min_size=2, max_size=12))
def test_the_interval_of_a_mean_is_scipys(values):
    assume(np.ptp(values) > 0)
    expected = scipy.stats.t.interval(0.95, len(values) - 1, np.mean(values), scipy.stats.sem(values))
    assert mean_interval(np.array(values)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_many_means_at_once_are_those_of_each():
    values = np.random.default_rng(1).normal(size=(7, 4))
    together = mean_interval(values)
    for place, one in enumerate(values):
        assert (together[0][place], together[1][place]) == pytest.approx(mean_interval(one))


@given(trials=st.integers(1, 2000), share=st.floats(0, 1))
def test_wilsons_interval_is_scipys(trials, share):
    successes = round(share * trials)
    expected = scipy.stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_nothing_right_of_ten_is_not_nothing():
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


@given(st.lists(NUMBERS, min_size=2, max_size=12))
def test_the_paired_p_value_is_scipys(values):
    assume(np.ptp(values) > 1e-6 * np.abs(values).max())
    expected = scipy.stats.ttest_rel(values, np.zeros(len(values))).pvalue
    assert paired_p_value(values) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([], None),
        ([3.0], None),
        ([0.0, 0.0, 0.0], 1.0),
        ([1e-14, -1e-14, 0.0], 1.0),
        ([10.0, 10.0], 0.5),
        ([10.0] * 6, 2**-5),
    ],
)
def test_without_a_spread_the_p_value_is_that_of_the_signs(differences, expected):
    assert paired_p_value(differences) == expected


def test_holms_correction_as_worked_out_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holms_p_values_keep_the_order_and_lie_between_the_raw_ones_and_bonferronis(p_values):
    corrected = holm(p_values)
    for one, raw in zip(corrected, p_values, strict=True):
        assert raw <= one <= min(1.0, raw * len(p_values)) + 1e-12
    for a, b in zip(np.argsort(p_values, kind="stable"), np.argsort(p_values, kind="stable")[1:], strict=False):
        assert corrected[a] <= corrected[b]


SERIES = st.integers(2, 8).flatmap(lambda count: st.tuples(*[st.lists(NUMBERS, min_size=count, max_size=count)] * 2))


@settings(max_examples=200)
@given(series=SERIES, ratio=st.floats(-5, 5))
def test_fiellers_set_holds_the_ratios_whose_contrast_is_not_excluded(series, ratio):
    x, y = map(np.array, series)
    contrast = x - ratio * y
    assume(np.ptp(contrast) > 1e-6)
    assume(np.any(y != 0))  # no ratio exists where the denominator is 0 in every run
    bound = scipy.stats.t.ppf(0.975, len(x) - 1) * scipy.stats.sem(contrast)
    assume(abs(abs(contrast.mean()) - bound) > 1e-6 * bound)
    assert bool(ratio_set(x, y).contains(ratio)) == (abs(contrast.mean()) <= bound)


@settings(max_examples=200)
@given(series=SERIES)
def test_fiellers_set_is_bounded_where_the_denominator_is_shown_to_differ_from_zero(series):
    x, y = map(np.array, series)
    assume(np.ptp(y) > 1e-6)
    statistic = abs(y.mean()) / scipy.stats.sem(y)
    critical = scipy.stats.t.ppf(0.975, len(y) - 1)
    assume(abs(statistic - critical) > 1e-6)
    found = ratio_set(x, y)
    assert bool(found.bounded) == (statistic > critical)
    if found.bounded:
        assert found.low <= x.mean() / y.mean() <= found.high


@pytest.mark.parametrize("sampling", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_the_intervals_cover_95_percent_of_simulated_runs(seeds, sampling):
    """A short form of benchmarks/coverage.py: the Monte-Carlo error of 10,000 runs is 0.22 percent."""
    random = np.random.default_rng(20261130)
    effects = random.normal(size=(3, 10_000, seeds))
    peak, damaged, recovered = effects + sampling * random.normal(size=effects.shape)
    low, high = mean_interval(70 + peak)
    assert ((low <= 70) & (high >= 70)).mean() == pytest.approx(0.95, abs=0.01)
    for damage in (1.0, 10.0):
        points = damage * math.hypot(1, sampling)
        held = ratio_set((recovered + 0.8 * points) - damaged, (peak + points) - damaged).contains(0.8)
        assert held.mean() == pytest.approx(0.95, abs=0.01)


def test_newcombes_difference_of_two_proportions():
    # Newcombe 1998, Statistics in Medicine 17, 873-890, method 10: 56/70 − 48/80 is 0.0524 to 0.3339.
    terms = [(1.0, 56 / 70, wilson(56, 70)), (-1.0, 48 / 80, wilson(48, 80))]
    assert combined_interval(terms) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_symmetric_intervals_combine_as_variances_do():
    low, high = combined_interval([(0.5, 10.0, (7.0, 13.0)), (0.5, 20.0, (16.0, 24.0))])
    assert (low, high) == pytest.approx((15 - math.hypot(1.5, 2.0), 15 + math.hypot(1.5, 2.0)))
