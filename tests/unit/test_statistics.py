"""Means over seeds: what the interval is over, that it is honest with few seeds, and that it can be repeated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import Score
from harness.statistics import Estimate, estimate, estimate_recovery_ratio, pooled


def scores(*values, stderr=1.0, n=512):
    return [None if value is None else Score(value, stderr, n) for value in values]


def test_one_seed_shows_the_sampling_error_and_says_so():
    one = estimate(scores(90.0, stderr=1.0))
    assert (one.mean, one.interval, one.n) == (90.0, "sampling", 512)
    assert one.ci95 == pytest.approx((90 - 1.96, 90 + 1.96), abs=1e-3)


def test_one_seed_without_a_sampling_error_has_no_interval():
    one = estimate([Score(90.0, None, 10)])
    assert (one.mean, one.ci95, one.interval) == (90.0, None, None)


def test_several_seeds_show_the_spread_between_them():
    three = estimate(scores(90.0, 92.0, 94.0, stderr=0.0))
    assert (three.mean, three.interval, three.per_seed) == (92.0, "seeds", (90.0, 92.0, 94.0))
    low, high = three.ci95
    assert 90 > low > 88
    assert 94 < high < 96


def test_seeds_that_agree_by_chance_still_have_their_sampling_error():
    low, high = estimate(scores(90.0, 90.0, stderr=1.0)).ci95
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(2), rel=0.06)


def test_the_spread_of_the_draws_is_the_standard_error_of_the_mean():
    values = [88.0, 91.0, 95.0]
    low, high = estimate(scores(*values, stderr=0.0)).ci95
    expected = 2 * 1.96 * np.std(values, ddof=1) / np.sqrt(3)
    assert high - low == pytest.approx(expected, rel=0.25)


def test_a_seed_without_a_score_is_left_out_and_stays_visible():
    two = estimate(scores(90.0, None, 94.0))
    assert (two.mean, two.per_seed) == (92.0, (90.0, None, 94.0))
    nothing = estimate([None, None])
    assert (nothing.mean, nothing.ci95, nothing.per_seed, nothing.n) == (None, None, (None, None), 0)


def test_an_interval_does_not_go_below_what_the_number_can_be():
    assert estimate(scores(0.1, stderr=1.0), floor=0.0).ci95[0] == 0.0


@settings(max_examples=25)
@given(values=st.lists(st.floats(0, 100), min_size=2, max_size=6), order=st.randoms())
def test_the_order_of_the_seeds_does_not_matter(values, order):
    shuffled = list(values)
    order.shuffle(shuffled)
    one, other = estimate(scores(*values)), estimate(scores(*shuffled))
    assert one.ci95 == pytest.approx(other.ci95)
    assert one.mean == pytest.approx(other.mean)


@settings(max_examples=25)
@given(values=st.lists(st.floats(0, 100), min_size=2, max_size=6))
def test_the_mean_lies_in_its_interval_and_repeats_exactly(values):
    one = estimate(scores(*values))
    assert one.ci95[0] <= one.mean <= one.ci95[1]
    assert one == estimate(scores(*values))


def test_pooling_is_the_estimate_over_all_seeds():
    parts = [estimate(scores(90.0, 91.0)), estimate(scores(95.0))]
    assert pooled(parts) == estimate(scores(90.0, 91.0, 95.0))


def test_an_estimate_survives_json():
    one = estimate(scores(90.0, None))
    assert Estimate.model_validate_json(one.model_dump_json()) == one


def ratio(peaks, damaged, recovered, stderr=0.5):
    return estimate_recovery_ratio(
        *(estimate(scores(*values, stderr=stderr)) for values in (peaks, damaged, recovered))
    )


def test_the_golden_ratio_of_one_seed():
    golden = ratio([66.49], [57.66], [66.04])
    assert golden.mean == pytest.approx(0.949, abs=5e-4)
    assert golden.interval == "sampling"
    assert golden.ci95[0] < golden.mean < golden.ci95[1]


def test_the_ratio_over_seeds_is_the_ratio_of_the_means():
    # The second seed was hardly harmed: its own ratio, within noise, is null and does not rule the mean.
    over = ratio([95, 95], [75, 94.8], [93, 93.8])
    assert over.mean == pytest.approx((93.4 - 84.9) / (95 - 84.9))
    assert over.per_seed == (pytest.approx(0.9), None)


def test_the_ratio_over_seeds_is_null_where_the_mean_damage_is_within_noise():
    nothing = ratio([95, 95], [94.9, 95.1], [95, 95])
    assert (nothing.mean, nothing.ci95, nothing.interval) == (None, None, None)


def test_a_damage_that_some_draws_lack_leaves_the_ratio_without_an_interval():
    # The damages are 20 and 0: no damage at all is drawn every fourth time.
    loose = ratio([95, 95], [75, 95], [94, 95])
    assert loose.mean == pytest.approx(0.95)
    assert (loose.ci95, loose.interval) == (None, None)


def test_a_firm_damage_has_an_interval_round_the_ratio():
    firm = ratio([95, 96, 94], [75, 77, 74], [93, 94, 92])
    assert firm.interval == "seeds"
    assert 0.8 < firm.ci95[0] < firm.mean < firm.ci95[1] < 1.0
