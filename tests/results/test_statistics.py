"""Means and ratios over seeds: their intervals, and remarks if there is none."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.results.estimates import Estimate, estimate, estimate_damage, estimate_recovery_ratio, recovery_remark
from harness.results.item_scores import item_score
from harness.results.metrics import Score


def scores(*values, stderr=1.0, n=512):
    return [None if value is None else Score(value, stderr, n) for value in values]


def t_interval(values):
    return scipy.stats.t.interval(0.95, len(values) - 1, np.mean(values), scipy.stats.sem(values))


def proportion(value, n=10):
    return item_score(value, (value * (1 - value) / (n - 1)) ** 0.5, n, percent=True)


def test_one_seed_has_the_interval_over_its_items_and_says_so():
    one = estimate([proportion(0.9)])
    expected = scipy.stats.binomtest(9, 10).proportion_ci(method="wilson")
    assert (one.mean, one.interval, one.n) == (90.0, "wilson", 10)
    assert one.ci95 == pytest.approx((100 * expected.low, 100 * expected.high))


def test_one_seed_with_nothing_right_is_not_certain():
    one = estimate([proportion(0.0)])
    assert (one.mean, one.ci95) == (0.0, pytest.approx((0.0, 27.75), abs=0.01))


def test_one_seed_without_an_interval_over_items_has_none():
    one = estimate([Score(90.0, None, 10)])
    assert (one.mean, one.ci95, one.interval) == (90.0, None, None)


@settings(max_examples=50)
@given(values=st.lists(st.integers(0, 1000).map(lambda k: k / 10), min_size=2, max_size=10, unique=True))
def test_several_seeds_have_students_t_whatever_their_sampling_error(values):
    one = estimate(scores(*values, stderr=7.0))
    assert (one.interval, one.ci95) == ("seeds", pytest.approx(t_interval(values)))
    assert one == estimate(scores(*values, stderr=7.0))


def test_seeds_that_agree_are_as_uncertain_as_one_of_them():
    three = estimate([proportion(1.0)] * 3)
    assert (three.mean, three.interval, three.ci95) == (100.0, "wilson", estimate([proportion(1.0)]).ci95)
    assert three.ci95[0] == pytest.approx(72.25, abs=0.01)


def test_equal_numbers_without_items_have_no_interval():
    assert estimate([Score(792704.0, None, 1)] * 3).ci95 is None


def test_a_seed_without_a_score_is_left_out_and_stays_visible():
    two = estimate(scores(90.0, None, 94.0))
    assert (two.mean, two.per_seed, two.ci95) == (92.0, (90.0, None, 94.0), pytest.approx(t_interval([90.0, 94.0])))
    nothing = estimate([None, None])
    assert (nothing.mean, nothing.ci95, nothing.per_seed, nothing.n) == (None, None, (None, None), 0)


def test_an_estimate_survives_json():
    one = estimate(scores(90.0, None))
    assert Estimate.model_validate_json(one.model_dump_json()) == one


def test_the_scores_of_an_estimate_of_one_seed_keep_its_interval():
    one = estimate([proportion(0.9)])
    assert one.scores() == [proportion(0.9)]
    assert estimate(scores(90.0, 91.0)).scores()[0].ci95 is None


def parts(peaks, damaged, recovered, stderr=0.5):
    return [estimate(scores(*values, stderr=stderr)) for values in (peaks, damaged, recovered)]


def ratio(peaks, damaged, recovered, **options):
    return estimate_recovery_ratio(*parts(peaks, damaged, recovered), **options)


def remark(peaks, damaged, recovered):
    peak, after, again = parts(peaks, damaged, recovered)
    return recovery_remark(estimate_damage(peak, after), estimate_recovery_ratio(peak, after, again))


def test_the_golden_ratio_of_one_seed():
    golden = estimate_recovery_ratio(*(estimate([proportion(p, 1000)]) for p in (0.665, 0.577, 0.660)))
    assert golden.mean == pytest.approx(0.943, abs=5e-4)
    assert golden.interval == "sampling"
    assert golden.ci95[0] < golden.mean < golden.ci95[1]


def test_one_seed_whose_damage_its_items_do_not_show_is_not_bounded():
    few = [estimate([proportion(p)]) for p in (0.8, 0.7, 0.8)]
    found = estimate_recovery_ratio(*few)
    assert (found.mean, found.ci95, found.interval) == (pytest.approx(1.0), None, "unbounded")
    assert recovery_remark(estimate_damage(*few[:2]), found) == "damage not shown"


def test_the_ratio_over_seeds_is_the_ratio_of_the_means():
    # The second seed was hardly harmed: its own ratio, within noise, is null and does not dominate the mean.
    over = ratio([95, 95], [75, 94.8], [93, 93.8])
    assert over.mean == pytest.approx((93.4 - 84.9) / (95 - 84.9))
    assert over.per_seed == (pytest.approx(0.9), None)


def test_a_firm_damage_has_fiellers_interval_round_the_ratio():
    peaks, damaged, recovered = np.array([95, 96, 94.5]), np.array([75, 77, 74]), np.array([93, 94, 92])
    firm = ratio(peaks, damaged, recovered)
    assert firm.interval == "fieller"
    assert firm.ci95[0] < firm.mean < firm.ci95[1]
    for end in firm.ci95:  # where Student's t of the contrast just reaches 0
        contrast = (recovered - damaged) - end * (peaks - damaged)
        assert min(map(abs, t_interval(contrast))) == pytest.approx(0, abs=1e-9)
    assert remark(peaks, damaged, recovered) == ""


@pytest.mark.parametrize("damaged", [[75, 94.9], [95, 76]])
def test_a_damage_that_the_seeds_do_not_show_leaves_the_ratio_without_bounds(damaged):
    loose = ratio([95, 95.5], damaged, [94, 95])
    assert loose.mean > 0
    assert (loose.ci95, loose.interval) == (None, "unbounded")
    assert remark([95, 95.5], damaged, [94, 95]) == "damage not shown"


@pytest.mark.parametrize(
    ("peaks", "damaged"), [([95, 95], [94.9, 95.1]), ([90, 91], [92, 95]), ([90], [90]), ([90], [91])]
)
def test_a_target_that_was_not_damaged_has_no_ratio(peaks, damaged):
    recovered = [95] * len(peaks)
    nothing = ratio(peaks, damaged, recovered)
    assert (nothing.mean, nothing.ci95, nothing.interval) == (None, None, None)
    assert remark(peaks, damaged, recovered) == "target not damaged"


def test_where_lower_is_better_a_rise_is_the_damage():
    peak, damaged, recovered = parts([2.0, 2.1, 1.9], [4.0, 4.2, 3.9], [2.2, 2.3, 2.2])
    found = estimate_recovery_ratio(peak, damaged, recovered, higher_is_better=False)
    assert found.mean == pytest.approx((12.1 - 6.7) / (12.1 - 6.0))
    assert found.ci95[0] < found.mean < found.ci95[1]
    assert estimate_damage(peak, damaged, higher_is_better=False).mean == pytest.approx((12.1 - 6.0) / 3)


def test_seeds_that_lack_one_of_the_three_scores_are_left_out():
    whole = ratio([95, 96, 94], [75, 77, 74.5], [93, 94, 92.5])
    more = ratio([95, 96, 94, None], [75, 77, 74.5, 60], [93, 94, 92.5, 61])
    assert (more.mean, more.ci95) == (pytest.approx(whole.mean), pytest.approx(whole.ci95))


def test_without_scores_nothing_is_remarked():
    missing = ratio([95, 96], [75, 77], [None, None])
    assert (missing.mean, missing.interval) == (None, None)
    assert remark([95, 96], [75, 77], [None, None]) == ""
