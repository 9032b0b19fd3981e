"""The leaderboard record: rows, ranks, costs, null values of partial runs, and strict parsing."""

import json

import pytest
from fake_run import BASE, SEQUENTIAL, fill, make_leaderboard, make_plan, put_scores

from harness.errors import UsageError
from harness.execution.leaderboard import build_leaderboard
from harness.execution.score_table import collect_scores
from harness.execution.store import Store
from harness.results.check import inconsistencies
from harness.results.leaderboard import Leaderboard
from harness.results.ranks import ranked


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    return make_leaderboard(tmp_path_factory.mktemp("runs"))[0]


def test_the_record_has_the_documented_shape(board):
    data = json.loads(board.to_json())
    assert (data["schema"], data["protocol"], data["model"], data["seeds"]) == (2, "fake", "tiny", [0])
    assert data["columns"] == ["code", "math", "qa"]
    row = data["rows"][0]
    assert {
        "method",
        "seeds",
        "scores",
        "average",
        "rank",
        "recovery",
        "forgetting",
        "backward_transfer",
        "cost",
    } <= set(row)
    assert {"mean", "ci95", "per_seed", "n"} <= set(row["scores"]["math"])
    assert {"target", "peak", "damaged", "recovered", "ratio", "collateral"} <= set(row["recovery"])
    assert set(row["cost"]) == {"optimizer_steps", "completions", "generated_tokens", "train_seconds"}


def test_scores_metrics_and_costs_are_those_worked_out_by_hand(board):
    re_math = board.row("re-math")
    assert re_math.average.mean == pytest.approx(71.0)
    assert re_math.forgetting.mean == pytest.approx(((90 - 72) + (95 - 93)) / 2)
    assert re_math.forgetting_by_domain["qa"].mean == pytest.approx(50 - 48)
    assert re_math.backward_transfer.mean == pytest.approx(((72 - 90) + (93 - 95)) / 2)
    recovery = re_math.recovery
    assert [one.mean for one in (recovery.peak, recovery.damaged, recovery.recovered)] == pytest.approx([95, 75, 93])
    assert recovery.ratio.mean == pytest.approx(0.9)
    assert recovery.retention_recovered.mean == pytest.approx(93 / 95)
    assert (recovery.collateral.mean, recovery.net.mean) == (pytest.approx(1.0), pytest.approx(0.0))
    assert (recovery.cost.optimizer_steps, re_math.cost.optimizer_steps) == (3, 183)
    assert board.row("sequential").recovery is None
    assert board.row("sequential").cost.train_seconds == pytest.approx(90.0)


def test_the_trajectory_tells_what_happened_after_each_step(board):
    steps = board.row("re-math").trajectory
    assert [step.label for step in steps] == ["base", "train code", "train math", "train qa", "recover math (refresh)"]
    assert [step.scores["math"].mean for step in steps] == pytest.approx([60, 62, 95, 75, 93])
    assert steps[4].recovered == "math"
    assert steps[3].checkpoints == board.row("sequential").trajectory[3].checkpoints


def test_the_best_average_is_first_and_the_base_is_an_unranked_reference(board):
    assert [(row.method, row.rank, row.reference) for row in board.rows] == [
        ("re-math", 1, False),
        ("sequential", 2, False),
        ("base", None, True),
    ]
    assert board.rows[-1].scores["code"].mean == pytest.approx(100 * BASE["code"])


def test_the_base_is_one_checkpoint_whatever_the_seeds(tmp_path):
    board, _ = make_leaderboard(tmp_path, seeds=(0, 1, 2), shift=lambda seed: 0.01 * seed)
    base, first = board.rows[-1], board.rows[0].trajectory[0]
    for one in (base.scores["math"], first.scores["math"]):
        assert (one.per_seed, one.interval) == ((pytest.approx(60.0),), "sampling")
    assert board.rows[0].scores["math"].per_seed == pytest.approx((93, 94, 95))
    assert board.rows[0].scores["math"].interval == "seeds"


def test_equal_averages_share_a_rank_and_the_next_is_skipped(board):
    first, second, base = board.rows
    rows = ranked([base, second, first, first.model_copy(update={"method": "twin"})], board.columns)
    assert [(row.method, row.rank) for row in rows] == [("re-math", 1), ("twin", 1), ("sequential", 3), ("base", None)]


def test_a_method_that_lacks_a_score_is_shown_without_a_rank(tmp_path):
    plan, store = make_plan(seeds=(0, 1)), Store(tmp_path)
    fill(store, make_plan(seeds=(0,)))
    for step, key in enumerate(plan.methods[2].lineage[1:]):
        put_scores(store, plan, key, SEQUENTIAL[step])
    board = build_leaderboard(collect_scores(plan, store), plan, store, {})
    assert {row.method: row.rank for row in board.rows} == {"sequential": 1, "re-math": None, "base": None}
    re_math = board.row("re-math")
    assert re_math.scores["math"].per_seed == (pytest.approx(93.0), None)
    assert re_math.cost is None
    assert re_math.recovery.ratio.mean == pytest.approx(0.9)


def test_a_run_without_any_score_still_has_a_record(tmp_path):
    plan, store = make_plan(), Store(tmp_path)
    board = build_leaderboard(collect_scores(plan, store), plan, store, {})
    assert [row.rank for row in board.rows] == [None, None, None]
    assert Leaderboard.parse(board.to_json(), "here") == board
    assert inconsistencies(board) == []


def test_a_lower_is_better_column_is_never_in_an_average(tmp_path):
    plan, store = make_plan(), Store(tmp_path)
    for method in plan.methods:
        for key in method.lineage:
            put_scores(store, plan, key, {"qa": 0.3}, higher_is_better=False)
    fill(store, plan)
    board = build_leaderboard(collect_scores(plan, store), plan, store, {})
    assert board.averaged == ("code", "math")
    re_math = board.row("re-math")
    assert re_math.average.mean == pytest.approx((72 + 93) / 2)
    assert re_math.recovery.collateral.mean == pytest.approx(0.0)
    assert re_math.recovery.net.mean == pytest.approx(2.0)


def test_a_method_that_is_called_base_keeps_its_name(tmp_path):
    board, _ = make_leaderboard(tmp_path, sequential="base")
    assert [row.method for row in board.rows] == ["re-math", "base", "base model"]


def test_two_versions_of_a_task_in_one_run_are_noted(tmp_path):
    plan, store = make_plan(), Store(tmp_path)
    put_scores(store, plan, plan.methods[0].lineage[0], {"code": 0.5}, task_hash="older")
    fill(store, plan)
    board = build_leaderboard(collect_scores(plan, store), plan, store, {})
    assert board.notes == ("code was measured with more than one version of its tasks",)


def test_the_record_reads_back_as_it_was(board, tmp_path):
    path = tmp_path / "leaderboard.json"
    path.write_text(board.to_json())
    assert Leaderboard.read(path) == board
    assert inconsistencies(board) == []


def with_change(board, change):
    data = json.loads(board.to_json())
    change(data)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.update(schema=3), "schema 3; this version of the harness reads up to 2"),
        (lambda data: data.pop("schema"), "not a leaderboard"),
        (lambda data: data.update(shema=1), "shema"),
        (lambda data: data["rows"][0].update(rank="1"), r"rows.0.rank"),
        (lambda data: data["rows"][0]["scores"]["math"].update(ci95=[1]), r"rows.0.scores.math.ci95"),
    ],
)
def test_reading_is_strict_and_says_what_is_wrong(board, change, message):
    with pytest.raises(UsageError, match=message):
        Leaderboard.parse(with_change(board, change), "here")


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"schema": true}'])
def test_what_is_no_leaderboard_is_refused(text):
    with pytest.raises(UsageError):
        Leaderboard.parse(text, "here")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["rows"][0].update(rank=2), "rank 2, but its average gives rank 1"),
        (lambda data: data["rows"][0]["average"].update(mean=99.0), "is not the mean of its columns"),
        (lambda data: data["rows"][0]["scores"]["math"].update(mean=99.0), "is not the mean of its seeds"),
        (lambda data: data["rows"][0]["scores"]["math"].update(per_seed=[93.0, 93.0]), "2 numbers for 1 seeds"),
        (lambda data: data["rows"][0].update(footnotes=[1]), "a footnote that does not exist"),
        (lambda data: data.update(columns=["code", "math"]), "qa, which are not columns"),
    ],
)
def test_contradictions_are_found(board, change, message):
    found = inconsistencies(Leaderboard.parse(with_change(board, change), "here"))
    assert any(message in line for line in found)


def test_an_unknown_method_is_named_with_those_there_are(board):
    with pytest.raises(UsageError, match="no method 'remath'") as caught:
        board.row("remath")
    assert "re-math" in caught.value.hint
