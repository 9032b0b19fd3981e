"""Several runs in one leaderboard: rejected combinations, marks, and merged seeds."""

import pytest
from fake_run import make_leaderboard

from harness.errors import UsageError
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.results.check import inconsistencies
from harness.results.combine import combine
from harness.results.leaderboard import MeanCost


def board(tmp_path, name, **settings):
    return make_leaderboard(tmp_path / name, **settings)[0]


def drift(seed):
    return 0.01 * seed


def test_one_run_is_itself(tmp_path):
    one = board(tmp_path, "one")
    assert combine([one]) == one


def test_runs_of_other_seeds_become_one_row_as_if_run_together(tmp_path):
    parts = [board(tmp_path, str(seeds), seeds=seeds, shift=drift) for seeds in [(0, 1), (2,)]]
    together = board(tmp_path, "together", seeds=(0, 1, 2), shift=drift)
    combined = combine(parts)
    assert combined.seeds == (0, 1, 2)
    assert combined.rows == together.rows
    assert inconsistencies(combined) == []


def costing(one, seconds):
    """Returns a board whose rows cost so many seconds a seed."""
    rows = []
    for row in one.rows:
        costs = tuple(
            cost.model_copy(update={"train_seconds": value})
            for cost, value in zip(row.seed_costs, seconds, strict=False)
        )
        rows.append(row.model_copy(update={"seed_costs": costs, "cost": MeanCost.of(costs) or row.cost}))
    return one.model_copy(update={"rows": tuple(rows)})


def test_costs_of_seeds_are_pooled_and_means_stand_for_seeds_that_are_not_known(tmp_path):
    first = costing(board(tmp_path, "first", seeds=(0, 1), shift=drift), (10.0, 20.0))
    second = costing(board(tmp_path, "second", seeds=(1, 2), shift=drift), (20.0, 60.0))
    row = combine([first, second]).row("sequential")
    assert [cost.train_seconds for cost in row.seed_costs] == [10.0, 20.0, 60.0]
    assert row.cost.train_seconds == pytest.approx(30.0)
    older = [old.model_copy(update={"seed_costs": ()}) for old in second.rows]
    row = combine([first, second.model_copy(update={"rows": tuple(older)})]).row("sequential")
    assert row.seed_costs == ()
    assert row.cost.train_seconds == pytest.approx((2 * 15.0 + 40.0) / 3)


def test_a_cost_that_is_not_that_of_its_seeds_is_found(tmp_path):
    one = costing(board(tmp_path, "one", seeds=(0, 1)), (10.0, 20.0))
    assert inconsistencies(one) == []
    wrong = one.rows[0].model_copy(update={"seed_costs": one.rows[1].seed_costs[:1]})
    found = inconsistencies(one.model_copy(update={"rows": (wrong, *one.rows[1:])}))
    assert found == [f"{wrong.method}: the cost is not the mean of its seeds' costs"]


def test_seeds_in_both_runs_count_once(tmp_path):
    parts = [board(tmp_path, str(seeds), seeds=seeds, shift=drift) for seeds in [(0, 1), (1, 2)]]
    assert combine(parts).row("re-math").scores["math"].per_seed == pytest.approx((93, 94, 95))
    assert combine([parts[0], parts[0]]).rows == parts[0].rows


def test_the_same_method_and_seed_with_other_scores_is_refused(tmp_path):
    parts = [board(tmp_path, "a"), board(tmp_path, "b", shift=lambda _: 0.02)]
    with pytest.raises(UsageError, match=r"'sequential' with seed 0 has different|'re-math' with seed 0 has different"):
        combine(parts)


def test_one_name_for_two_set_ups_is_refused_and_renamed_where_asked_for(tmp_path):
    parts = [board(tmp_path, "a"), board(tmp_path, "b", steps=100)]
    with pytest.raises(UsageError, match="configured differently in run 2"):
        combine(parts)
    names = [row.method for row in combine(parts, allow_mixed=True).rows]
    assert sorted(names) == ["base", "re-math", "re-math, run 2 (fake)", "sequential", "sequential, run 2 (fake)"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"settings": EvaluationSettings(limit=64, batch_size=64)}, "code: limit 512 vs 64"),
        ({"settings": EvaluationSettings(limit=512, batch_size=8)}, "code: batch size 64 vs 8"),
        ({"settings": EvaluationSettings(limit=512, batch_size=64, seed=1)}, "code: evaluation seed 0 vs 1"),
        ({"changes": {"task_hash": "newer"}}, r"code: different task version or prompts \(fake_code\)"),
        ({"changes": {"metric": "f1"}}, "code: different tasks or metrics"),
    ],
)
def test_what_was_measured_otherwise_is_refused_and_marked_where_asked_for(tmp_path, other, message):
    parts = [board(tmp_path, "a"), board(tmp_path, "b", sequential="other", **other)]
    with pytest.raises(UsageError, match=message):
        combine(parts)
    mixed = combine(parts, allow_mixed=True)
    assert len(mixed.notes) == 1
    assert mixed.row("other").footnotes == (1,)
    assert mixed.row("sequential").footnotes == ()
    assert inconsistencies(mixed) == []


def test_rows_of_another_base_model_are_refused(tmp_path):
    one = board(tmp_path, "a")
    with pytest.raises(UsageError, match="base model: tiny vs large"):
        combine([one, one.model_copy(update={"model": "large"})])
