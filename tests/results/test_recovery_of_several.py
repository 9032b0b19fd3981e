"""Recoveries of several targets, and chains of recoveries: ratios by hand, and the record through every way back."""

from dataclasses import replace

import pytest
from fake_run import RECOVERED, SEQUENTIAL, fill, make_plan, put, put_scores

from harness.execution.leaderboard import build_leaderboard
from harness.execution.score_table import collect_scores
from harness.execution.store import Store
from harness.planning.nodes import RecoverNode
from harness.report.tables.recoveries import recovery_table
from harness.results.check import inconsistencies
from harness.results.combine import combine
from harness.results.frame import leaderboard_frame
from harness.results.leaderboard import Leaderboard
from harness.results.metrics import StepScores, recovery_start

CODE, MATH, QA = ({k: 100 * v for k, v in step.items()} for step in SEQUENTIAL)
END = {domain: 100 * value for domain, value in RECOVERED.items()}


def recovery_of(plan, targets):
    """Returns the plan with these targets of its recovery."""
    nodes = {
        key: replace(node, targets=targets) if isinstance(node, RecoverNode) else node
        for key, node in plan.nodes.items()
    }
    return replace(plan, nodes=nodes)


def board_of(root, targets, seeds=(0,), shift=lambda seed: 0.0):
    plan = recovery_of(make_plan(seeds=seeds), targets)
    store = Store(root / "store")
    fill(store, plan, shift=shift)
    return build_leaderboard(collect_scores(plan, store), plan, store, {"packages": {"a": "1"}})


def test_a_recovery_of_several_has_a_ratio_for_each_and_for_all(tmp_path):
    board = board_of(tmp_path, ("code", "math"))
    recovery = board.row("re-math").recovery
    assert recovery.target == "code+math"
    ratio = {name: one.ratio.mean for name, one in recovery.targets.items()}
    assert ratio["math"] == pytest.approx((END["math"] - QA["math"]) / (MATH["math"] - QA["math"]))
    assert ratio["code"] == pytest.approx((END["code"] - QA["code"]) / (CODE["code"] - QA["code"]))
    undone = (END["code"] + END["math"] - QA["code"] - QA["math"]) / 2
    damage = (CODE["code"] + MATH["math"] - QA["code"] - QA["math"]) / 2
    assert recovery.damage.mean == pytest.approx(damage)
    assert recovery.ratio.mean == pytest.approx(undone / damage)
    assert recovery.net.mean == pytest.approx(END["qa"] - QA["qa"])
    assert board.row("re-math").trajectory[-1].recovered == ("code", "math")


def test_a_recovery_of_all_has_no_other_domain_to_harm(tmp_path):
    recovery = board_of(tmp_path, ("code", "math", "qa")).row("re-math").recovery
    assert recovery.target == "all"
    assert (recovery.collateral.mean, recovery.net.mean) == (None, None)
    assert recovery.targets["qa"].remark == "target not damaged"


def test_tables_show_all_and_then_each(tmp_path):
    board = board_of(tmp_path, ("code", "math", "qa"))
    rows = recovery_table(board).rows
    assert [row[2] for row in rows] == ["all", "code", "math", "qa"]
    assert all(row[7:10] == ("–",) * 3 for row in rows[1:]), rows
    cells = leaderboard_frame(board).filter(method="re-math").to_dicts()[0]
    assert cells["recovery_target"] == "all"
    assert cells["recovery_ratio_math"] == pytest.approx(0.9)


def test_a_recovery_of_one_adds_no_columns(tmp_path):
    board = board_of(tmp_path, ("math",))
    assert not any(name.startswith("recovery_ratio_math") for name in leaderboard_frame(board).columns)
    assert [row[2] for row in recovery_table(board).rows] == ["math"]
    assert board.row("re-math").recovery.targets == {}


def test_the_record_is_consistent_and_read_back_and_combined(tmp_path):
    board = board_of(tmp_path / "both", ("code", "math"), seeds=(0, 1), shift=lambda seed: seed / 100)
    assert inconsistencies(board) == []
    assert Leaderboard.parse(board.to_json(), "here") == board
    parts = [
        board_of(tmp_path / str(seed), ("code", "math"), seeds=(seed,), shift=lambda seed: seed / 100)
        for seed in (0, 1)
    ]
    assert combine(parts).row("re-math").recovery == board.row("re-math").recovery


def test_a_changed_number_of_one_target_is_found(tmp_path):
    board = board_of(tmp_path, ("code", "math"))
    text = board.to_json()
    place = text.index('"targets"')
    changed = text[:place] + text[place:].replace('"mean": 0.9', '"mean": 0.8', 1)
    assert changed != text
    assert any("recovery.targets" in line for line in inconsistencies(Leaderboard.parse(changed, "here")))


def test_a_chain_of_recoveries_is_compared_with_the_checkpoint_before_its_first(tmp_path):
    plan = make_plan()
    first = next(node for node in plan.nodes.values() if isinstance(node, RecoverNode))
    second = replace(first, key="f" * 64, parents=(*first.parents, first.key), label="recover math (other)")
    methods = tuple(
        replace(method, lineage=(*method.lineage, second.key)) if method.name == "re-math" else method
        for method in plan.methods
    )
    scored = {
        name: replace(plan.nodes[key], key=f"{name:e>64}", parents=(second.key,))
        for name, key in plan.evaluations[first.key].items()
    }
    nodes = {**plan.nodes, second.key: second, **{node.key: node for node in scored.values()}}
    evaluations = {**plan.evaluations, second.key: {name: node.key for name, node in scored.items()}}
    store = Store(tmp_path / "store")
    fill(store, plan)
    plan = replace(plan, nodes=nodes, methods=methods, evaluations=evaluations)
    put_scores(store, plan, second.key, {"code": 0.72, "math": 0.94, "qa": 0.48})
    cost = {"optimizer_steps": 2, "completions": 8, "generated_tokens": 80, "train_seconds": 1.0}
    put(store, second.key, {"result.json": {"cost": cost, "report": {}}, "model/model.safetensors": "weights"})
    row = build_leaderboard(collect_scores(plan, store), plan, store, {}).row("re-math")
    assert [one.damaged.mean for one in row.recoveries] == pytest.approx([QA["math"]] * 2)
    assert row.recovery.ratio.mean == pytest.approx((94 - QA["math"]) / (MATH["math"] - QA["math"]))
    assert row.recovery.net.mean == pytest.approx((72 - QA["code"] + 48 - QA["qa"]) / 2)
    assert [one.cost.optimizer_steps for one in row.recoveries] == [3, 5]


@pytest.mark.parametrize(
    ("recovered", "start"),
    [
        ([None, None, "math"], 2),
        ([None, "math", "math"], 1),
        ([None, "code", "math"], 2),
        ([None, "math", None, "math"], 3),
        ([None, ("code", "math"), "math"], 1),
        ([None, "math", ("code", "math"), "code"], 2),
    ],
)
def test_recoveries_are_one_chain_while_they_have_a_target_in_common(recovered, start):
    steps = [StepScores(scores={}, recovered=one) for one in recovered]
    assert recovery_start(steps, len(steps) - 1) == start
