"""The recommended order, the rank correlations, and the observed damage of a run."""

import json
from itertools import permutations

import pytest
from fake_run import BASE, SEQUENTIAL, key_of, make_plan, put_scores
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr, ttest_1samp

from harness.errors import UsageError
from harness.execution.run_folder import PLAN, SCORES
from harness.execution.score_table import collect_scores, write_scores
from harness.execution.store import Store
from harness.planning.serialization import plan_to_json
from harness.prediction.agreement import agreements, rank_correlation
from harness.prediction.observed import observed_pairs
from harness.prediction.order import advised_order, order_cost
from harness.prediction.paces import paces_of

NAMES = ("code", "math", "qa", "cw")
PAIRS = list(permutations(NAMES, 2))


@given(st.lists(st.floats(-50, 50), min_size=12, max_size=12))
def test_no_order_is_cheaper_than_the_advised_one(damages):
    damage = dict(zip(PAIRS, damages, strict=True))
    advised = advised_order(NAMES, damage)
    assert sorted(advised) == sorted(NAMES)
    assert all(order_cost(advised, damage) <= order_cost(order, damage) for order in permutations(NAMES))


def test_a_domain_whose_training_harms_all_others_goes_first():
    damage = dict.fromkeys(PAIRS, 0.0) | {("cw", other): 5.0 for other in NAMES if other != "cw"}
    assert advised_order(NAMES, damage)[0] == "cw"


def test_many_domains_in_a_line_are_ordered_though_not_every_order_is_tried():
    line = [f"d{place:02}" for place in range(12)]
    damage = {(a, b): 1.0 if line.index(a) < line.index(b) else 0.0 for a, b in permutations(line, 2)}
    given_order = [*line[6:], *line[:6]]
    assert advised_order(given_order, damage) == tuple(line)


def told(values, seeds=(0, 1)):
    return {(seed, *pair, ""): value + seed / 100 for seed in seeds for pair, value in zip(PAIRS, values, strict=True)}


def test_a_predictor_that_orders_as_it_happened_correlates_fully_and_one_that_reverses_it_negatively():
    happened = told(range(12))
    same, reverse, constant = agreements(
        happened,
        {
            "same": {key: 3 * value**3 for key, value in happened.items()},
            "reverse": {key: -value for key, value in happened.items()},
            "constant": dict.fromkeys(happened, 1.0),
        },
        reference="same",
    )
    assert (same.spearman, same.lead) == (pytest.approx(1.0), None)
    assert (reverse.spearman, reverse.lead) == (pytest.approx(-1.0), pytest.approx(-2.0))
    assert reverse.ci95 == (pytest.approx(-1.0), pytest.approx(-1.0))
    assert (reverse.seed_lead, reverse.seed_lead_ci95) == (pytest.approx(-2.0), pytest.approx((-2.0, -2.0)))
    assert (constant.spearman, constant.ci95, constant.lead) == (None, None, None)


def test_the_lead_over_seeds_is_students_interval_of_the_leads_within_each_seed():
    happened = told(range(12), seeds=(0, 1, 2))
    noise = [{0: 0, 1: 3, 2: 9}[key[0]] * (place % 2) for place, key in enumerate(happened)]
    guess = {key: value + off for (key, value), off in zip(happened.items(), noise, strict=True)}
    poor = {key: -value for key, value in happened.items()}
    lead = agreements(happened, {"guess": guess, "poor": poor}, reference="poor")[0]
    within = []
    for seed in (0, 1, 2):
        own = [key for key in happened if key[0] == seed]
        within.append(spearmanr([happened[key] for key in own], [guess[key] for key in own]).statistic + 1)
    ends = ttest_1samp(within, 0).confidence_interval()
    assert lead.seed_lead == pytest.approx(sum(within) / 3)
    assert lead.seed_lead_ci95 == (pytest.approx(ends.low), pytest.approx(ends.high))
    assert lead.lead_ci95[0] <= lead.lead <= lead.lead_ci95[1]


def test_signs_are_counted_where_the_predictor_says_what_happened():
    happened = {(0, "a", name, ""): value for name, value in zip("bcdefg", (1, -1, 2, -2, 0, 0), strict=True)}
    always = dict.fromkeys(happened, 1.0)
    assert [one.signs for one in agreements(happened, {"same": happened, "always": always})] == [1.0, 0.5]


def test_an_interval_holds_the_estimate_and_is_the_same_again():
    happened = told([5, 1, 7, 2, 8, 3, 9, 4, 6, 0, 11, 10])
    guess = told([1, 5, 2, 7, 9, 8, 3, 6, 4, 0, 10, 11])
    [first] = agreements(happened, {"guess": guess})
    [second] = agreements(happened, {"guess": guess})
    assert first == second
    low, high = first.ci95
    assert -1 <= low < first.spearman < high <= 1


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=12))
def test_the_rank_correlation_is_scipys(points):
    first, second = zip(*points, strict=True)
    correlation = rank_correlation(first, second)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert correlation is None
    else:
        assert correlation == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


def test_two_points_have_no_rank_correlation():
    assert rank_correlation([1, 2], [1, 2]) is None


def test_a_missing_pair_is_left_out_of_the_draws():
    happened = told([5, 1, 7, 2, 8, 3, 9, 4, 6, 0, 11, 10])
    whole, last = dict(happened), sorted(happened)[-1]
    del happened[last]
    [one] = agreements(happened, {"guess": whole})
    assert one.spearman == pytest.approx(1.0) and one.ci95 == (pytest.approx(1.0), pytest.approx(1.0))


def test_a_plan_that_trains_nothing_known_has_no_pace():
    with pytest.raises(UsageError) as raised:
        paces_of(make_plan())
    assert "learning_rate" in raised.value.message


@pytest.fixture
def run(tmp_path):
    """A folder with the plan and the score table of a run of the fake sequence."""
    plan, store, folder = make_plan(), Store(tmp_path / "store"), tmp_path / "fake"
    folder.mkdir()
    for key, scores in zip(plan.methods[0].lineage, [BASE, *SEQUENTIAL], strict=True):
        put_scores(store, plan, key, scores)
    write_scores(collect_scores(plan, store), folder / SCORES)
    (folder / PLAN).write_text(json.dumps(plan_to_json(plan)))
    return folder


def test_each_training_of_one_domain_is_read_with_what_it_did_to_every_other(run):
    pairs = {(pair.trained, pair.harmed): pair for pair in observed_pairs(run)}
    assert set(pairs) == set(permutations(("code", "math", "qa"), 2))
    assert pairs["qa", "math"].damage == pytest.approx(20.0)
    assert pairs["code", "math"].damage == pytest.approx(-2.0)
    assert {pair.trained for pair in pairs.values() if pair.from_base} == {"code"}
    assert (pairs["qa", "code"].before, pairs["qa", "code"].after) == (
        key_of("train", "math", 0, 60),
        key_of("train", "qa", 0, 60),
    )


def test_a_folder_without_a_plan_is_refused(tmp_path):
    with pytest.raises(UsageError) as raised:
        observed_pairs(tmp_path)
    assert str(tmp_path) in raised.value.where
