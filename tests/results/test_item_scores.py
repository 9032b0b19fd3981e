"""The interval of one checkpoint's score over its items: the method, chosen by value, standard error and count."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from harness.results.item_scores import item_score


def of_items(items, *, percent=True):
    """Returns the score as lm-eval measures it."""
    stderr = float(np.std(items, ddof=1) / math.sqrt(len(items)))
    return item_score(float(np.mean(items)), stderr, len(items), percent=percent)


@given(trials=st.integers(2, 600), share=st.floats(0, 1))
def test_items_of_0_and_1_have_wilsons_interval(trials, share):
    successes = round(share * trials)
    score = of_items([1.0] * successes + [0.0] * (trials - successes))
    expected = scipy.stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert score.interval == "wilson"
    assert score.ci95 == pytest.approx((100 * expected.low, 100 * expected.high), abs=1e-6)


@given(st.lists(st.floats(0, 1).map(lambda x: round(x, 2)), min_size=3, max_size=50))
def test_graded_items_have_students_t_of_their_spread(items):
    if set(items) <= {0.0, 1.0} or np.ptp(items) < 1e-6:
        return
    score = of_items(items)
    expected = scipy.stats.t.interval(0.95, len(items) - 1, 100 * np.mean(items), 100 * scipy.stats.sem(items))
    assert score.interval == "sampling"
    assert score.ci95 == pytest.approx(expected)


def test_a_judges_scores_are_on_their_own_scale():
    score = of_items([7.0, 9.0, 4.0, 6.0], percent=False)
    expected = scipy.stats.t.interval(0.95, 3, 6.5, scipy.stats.sem([7.0, 9.0, 4.0, 6.0]))
    assert (score.value, score.ci95) == (6.5, pytest.approx(expected))


@pytest.mark.parametrize(
    ("value", "stderr", "n", "percent"),
    [
        (0.5, None, 10, True),  # no standard error: a metric of the whole set
        (0.5, 0.0, 10, True),  # every item 0.5
        (0.0, 0.0, 10, False),  # a judge's scale, every item 0
        (7.0, 0.0, 10, False),
    ],
)
def test_without_a_spread_or_a_standard_error_there_is_no_interval(value, stderr, n, percent):
    score = item_score(value, stderr, n, percent=percent)
    assert (score.ci95, score.interval) == (None, None)
