"""The metrics compared with values computed by hand, and their properties for any numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.results import metrics
from harness.results.metrics import Score, StepScores


def score(value, stderr=0.0, n=100):
    return Score(value, stderr, n)


def step(trained=(), recovered=None, stderr=0.0, **values):
    return StepScores(
        scores={domain: score(value, stderr) for domain, value in values.items()},
        trained=tuple(trained),
        recovered=recovered,
    )


SEQUENCE = [
    step(code=50, math=60, qa=30),
    step(["code"], code=90, math=62, qa=32),
    step(["math"], code=94, math=95, qa=34),
    step(["qa"], code=70, math=75, qa=50),
]
REFRESHED = [*SEQUENCE, step(["math"], "math", code=72, math=93, qa=47)]
COLUMNS = ("code", "math", "qa")


def test_the_published_recovery_is_reproduced():
    peak, damaged, recovered = score(66.49), score(57.66), score(66.04)
    assert metrics.recovery_ratio(peak, damaged, recovered).value == pytest.approx(0.949, abs=5e-4)
    assert metrics.retention(damaged, peak).value == pytest.approx(0.867, abs=5e-4)
    assert metrics.retention(recovered, peak).value == pytest.approx(0.993, abs=5e-4)


def test_the_average_is_over_the_columns_and_needs_them_all():
    assert metrics.average(SEQUENCE[-1].scores, COLUMNS).value == pytest.approx(65.0)
    assert metrics.average(SEQUENCE[-1].scores, ("code", "math")).value == pytest.approx(72.5)
    assert metrics.average(SEQUENCE[-1].scores, (*COLUMNS, "cw")) is None
    assert metrics.average(SEQUENCE[-1].scores, ()) is None


def test_the_averages_sampling_error_and_items_combine():
    averaged = metrics.average({"a": Score(1, 3.0, 10), "b": Score(2, 4.0, 20)}, ("a", "b"))
    assert averaged == Score(1.5, 2.5, 30)
    assert metrics.average({"a": Score(1, 3.0, 10), "b": Score(2, None, 20)}, ("a", "b")).stderr is None


def test_forgetting_is_positive_where_the_domain_got_worse():
    assert metrics.forgetting(SEQUENCE, "math").value == pytest.approx(95 - 75)


def test_forgetting_is_from_the_best_earlier_score_not_from_the_own_training():
    assert metrics.forgetting(SEQUENCE, "code").value == pytest.approx(94 - 70)
    assert metrics.transfer(SEQUENCE, "code").value == pytest.approx(70 - 90)


def test_forgetting_is_negative_where_the_domain_is_at_its_best():
    assert metrics.forgetting(SEQUENCE, "qa").value == pytest.approx(34 - 50)


def test_forgetting_turns_its_sign_where_lower_is_better():
    losses = [step(p=9.0), step(["p"], p=5.0), step(["q"], p=7.0)]
    assert metrics.forgetting(losses, "p", higher_is_better=False).value == pytest.approx(2.0)


def test_backward_transfer_and_mean_forgetting_leave_the_last_trained_domain_out():
    assert metrics.exposed_domains(SEQUENCE, COLUMNS) == ["code", "math"]
    assert metrics.backward_transfer(SEQUENCE, COLUMNS).value == pytest.approx(((70 - 90) + (75 - 95)) / 2)
    assert metrics.mean_forgetting(SEQUENCE, COLUMNS).value == pytest.approx(((94 - 70) + (95 - 75)) / 2)


def test_a_refresh_is_no_training_its_target_is_measured_against_the_peak_before():
    assert metrics.last_training(REFRESHED, "math") == 2
    assert metrics.transfer(REFRESHED, "math").value == pytest.approx(93 - 95)
    assert metrics.exposed_domains(REFRESHED, COLUMNS) == ["code", "math"]
    assert metrics.backward_transfer(REFRESHED, COLUMNS).value == pytest.approx(((72 - 90) + (93 - 95)) / 2)


def test_a_domain_trained_twice_counts_from_its_last_training():
    again = [*SEQUENCE, step(["code"], code=91, math=70, qa=40), step(["math"], code=85, math=96, qa=39)]
    assert metrics.last_training(again, "code") == 4
    assert metrics.transfer(again, "code").value == pytest.approx(85 - 91)
    assert metrics.exposed_domains(again, COLUMNS) == ["code", "qa"]


def test_one_training_on_all_domains_has_neither_forgetting_nor_transfer():
    mixed = [step(code=50, math=60), step(["code", "math"], code=90, math=95)]
    assert metrics.mean_forgetting(mixed, ("code", "math")) is None
    assert metrics.backward_transfer(mixed, ("code", "math")) is None


def test_a_missing_score_gives_no_mean_and_not_a_mean_of_the_rest():
    partial = [*SEQUENCE[:-1], step(["qa"], code=70, qa=50)]
    assert metrics.mean_forgetting(partial, COLUMNS) is None
    assert metrics.backward_transfer(partial, COLUMNS) is None


def test_the_base_alone_has_no_metrics():
    assert metrics.mean_forgetting(SEQUENCE[:1], COLUMNS) is None
    assert metrics.forgetting(SEQUENCE[:1], "code") is None
    assert metrics.forgetting([], "code") is None


def test_collateral_counts_losses_only_and_net_change_both():
    before, after = SEQUENCE[-1].scores, REFRESHED[-1].scores
    assert metrics.collateral(before, after, "math", COLUMNS).value == pytest.approx((0 + 3) / 2)
    assert metrics.net_change(before, after, "math", COLUMNS).value == pytest.approx((2 - 3) / 2)
    assert metrics.collateral(before, after, "math", ("math",)) is None
    assert metrics.collateral(before, {}, "math", COLUMNS) is None


@pytest.mark.parametrize(("damaged", "expected"), [(94.0, None), (92.0, None), (90.0, 1.0)])
def test_the_ratio_is_null_where_the_damage_is_within_noise(damaged, expected):
    # 1.96 · sqrt(1.5² + 1.5²) = 4.16
    ratio = metrics.recovery_ratio(score(95, 1.5), score(damaged, 1.5), score(95, 1.5))
    assert (None if ratio is None else ratio.value) == expected


def test_a_gain_is_no_damage_to_recover_from():
    assert metrics.recovery_ratio(score(90), score(92), score(95)) is None


def test_the_ratio_may_exceed_one_and_fall_below_zero():
    assert metrics.recovery_ratio(score(90), score(80), score(95)).value == pytest.approx(1.5)
    assert metrics.recovery_ratio(score(90), score(80), score(75)).value == pytest.approx(-0.5)


def test_the_ratio_of_a_lower_is_better_domain():
    ratio = metrics.recovery_ratio(score(5), score(9), score(6), higher_is_better=False)
    assert ratio.value == pytest.approx(0.75)
    assert metrics.recovery_ratio(score(9), score(5), score(6), higher_is_better=False) is None


def test_the_ratios_error_agrees_with_a_simulation():
    import numpy as np

    random = np.random.default_rng(0)
    peak, damaged, recovered = (random.normal(mean, 0.5, 200_000) for mean in (95, 75, 92))
    simulated = ((recovered - damaged) / (peak - damaged)).std()
    ratio = metrics.recovery_ratio(score(95, 0.5), score(75, 0.5), score(92, 0.5))
    assert ratio.stderr == pytest.approx(simulated, rel=0.03)


points = st.floats(0, 100)
domains = st.sampled_from(("a", "b", "c", "d"))
score_sets = st.fixed_dictionaries(dict.fromkeys("abcd", points))


def scores_of(values):
    return {name: score(value) for name, value in values.items()}


@given(peak=st.floats(60, 100), damaged=st.floats(0, 59))
def test_all_recovered_is_one_nothing_recovered_is_zero(peak, damaged):
    assert metrics.recovery_ratio(score(peak), score(damaged), score(peak)).value == pytest.approx(1.0)
    assert metrics.recovery_ratio(score(peak), score(damaged), score(damaged)).value == pytest.approx(0.0)


@given(before=score_sets, after=score_sets, target=domains)
def test_collateral_is_never_negative_and_never_less_than_the_net_loss(before, after, target):
    lost = metrics.collateral(scores_of(before), scores_of(after), target, "abcd").value
    net = metrics.net_change(scores_of(before), scores_of(after), target, "abcd").value
    assert lost >= 0
    assert lost >= -net - 1e-9


@given(before=score_sets, after=score_sets, target=domains, other=points)
def test_collateral_does_not_look_at_the_target(before, after, target, other):
    changed = after | {target: other}
    results = [metrics.collateral(scores_of(before), scores_of(a), target, "abcd") for a in (after, changed)]
    assert results[0] == results[1]


@given(history=st.lists(score_sets, min_size=2, max_size=5), order=st.permutations("abcd"))
def test_the_order_of_the_columns_does_not_matter(history, order):
    trained = [(), *(("abcd"[k % 4],) for k in range(len(history) - 1))]
    steps = [StepScores(scores=scores_of(s), trained=t) for s, t in zip(history, trained, strict=True)]
    for metric in (metrics.mean_forgetting, metrics.backward_transfer):
        left, right = metric(steps, "abcd"), metric(steps, order)
        assert (left is None) == (right is None)
        assert left is None or math.isclose(left.value, right.value, abs_tol=1e-9)


@given(history=st.lists(score_sets, min_size=3, max_size=6), domain=domains)
def test_forgetting_is_at_least_the_negative_of_transfer(history, domain):
    steps = [StepScores(scores=scores_of(s), trained=(domain,) if k == 1 else ()) for k, s in enumerate(history)]
    assert metrics.forgetting(steps, domain).value >= -metrics.transfer(steps, domain).value
