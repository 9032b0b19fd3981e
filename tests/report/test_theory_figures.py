"""The figures of the tests of the theory: what each one draws and omits."""

import pytest
from fake_run import make_leaderboard
from report_world import IMAGE, contracted, record_of, split

from harness.report.figure import Absent
from harness.report.figures.causal_split import causal_split
from harness.report.figures.contraction import contraction
from harness.report.plots.markup import along, bar
from harness.results.probe_rows import ProbeRows


def test_parts_of_an_update_have_bars_from_zero_and_grey_controls(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    probes = tuple(
        ProbeRows(probe="p", method=method, seed=seed, rows=[{**row, "loss": row["loss"] + seed} for row in split()])
        for method in ("sequential", "re-math")
        for seed in (0, 1)
    )
    figure = causal_split(record_of(leaderboard, probes=probes))
    [panel] = figure.views[0].panels
    assert panel.title == f"{IMAGE} after cw"
    lines = {line.label: line for line in panel.lines}
    assert {label: line.value for label, line in lines.items()} == {
        "full": 9.5,
        "subspace": 6.5,
        "complement": -0.5,
        "random-subspace": 1.5,
    }
    assert [label for label, line in lines.items() if line.look is None] == ["random-subspace"]
    # Two methods with the same checkpoints measured the same models: two draws for each of two seeds.
    assert {row[1]: row[3] for row in figure.numbers.rows}["random-subspace"] == "4"
    left, width = bar(panel.axis, -0.5)
    assert panel.bars and left == along(panel.axis, -0.5) and bar(panel.axis, 9.5)[0] == along(panel.axis, 0)
    assert float(width[:-1]) == pytest.approx(50 / (panel.axis.high - panel.axis.low), abs=0.01)


def test_rows_without_a_loss_are_no_parts(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    rows = [{"target": "math", "against": "cw", "piece": "full", "loss": None}, {"piece": 3, "loss": 1.0}]
    probes = (ProbeRows(probe="p", method="sequential", seed=0, rows=rows),)
    assert isinstance(causal_split(record_of(leaderboard, probes=probes)), Absent)


def test_a_recovery_has_a_line_for_each_part_and_a_grey_control(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    rows = contracted()
    probes = tuple(
        ProbeRows(
            probe="p", method=method, seed=seed, rows=[{**row, "log_ratio": row["log_ratio"] + seed} for row in rows]
        )
        for method in ("re-math", "other")
        for seed in (0, 1)
    )
    figure = contraction(record_of(leaderboard, probes=probes))
    [panel] = figure.views[0].panels
    assert panel.title == "re-math: math"
    lines = {one.name: one for one in panel.series}
    assert [mark.y for mark in lines["subspace"].marks] == pytest.approx([0.5, 0.0, -0.5])
    assert [mark.y for mark in lines["random-subspace"].marks] == pytest.approx([0.5, 0.65, 0.8])
    assert [mark.x for mark in lines["complement"].marks] == [0.0, 5.0, 10.0]
    assert [name for name, one in lines.items() if one.look is None] == ["random-subspace"]
    missing = tuple(ProbeRows(probe="p", method="a", seed=0, rows=[{**row, "log_ratio": None}]) for row in rows)
    assert isinstance(contraction(record_of(leaderboard, probes=missing)), Absent)
