"""The curves of trainings: read from a run's store, averaged over seeds and steps, kept with an archived run."""

import json

import pytest
from fake_run import fill, make_leaderboard, make_plan, put
from report_world import COST, record_of, write_run
from typer.testing import CliRunner

from harness.cli import app
from harness.errors import UsageError
from harness.execution.store import Store
from harness.report.figure import Absent
from harness.report.figures.training_curves import training_curves
from harness.report.reading import read_run
from harness.report.training_curves import MOST_POINTS, StageCurve, curves_to_json, parse_curves, read_curves


def lines(count, reward, **more):
    rows = [
        {"step": step, "reward": reward * step, "completions/mean_length": 8.0, **more} for step in range(1, count + 1)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def stored(root, texts):
    """Returns a plan of one seed per text and its store, in which the first training of each seed logged the text."""
    plan, store = make_plan(seeds=tuple(range(len(texts)))), Store(root / "store")
    first = {method.seed: method.lineage[1] for method in plan.methods}
    for seed, text in enumerate(texts):
        put(store, first[seed], {"result.json": {"cost": COST, "report": {}}, "metrics.jsonl": text})
    fill(store, plan)
    return plan, store


def test_a_curve_is_the_mean_and_the_range_over_seeds(tmp_path):
    plan, store = stored(tmp_path, [lines(6, 1.0), lines(6, 3.0)])
    [curve], problems = read_curves(plan, store)
    assert problems == []
    assert (curve.methods, curve.step, curve.seeds, curve.last) == (("sequential", "re-math"), 1, (0, 1), 6.0)
    assert curve.at == (1, 2, 3, 4, 5, 6)
    assert curve.values["reward"][1] == (4.0, 2.0, 6.0)
    assert set(curve.values) == {"reward", "completion length (tokens)"}


def test_a_long_curve_is_averaged_to_a_few_points(tmp_path):
    plan, store = stored(tmp_path, [lines(400, 1.0)])
    [curve], _ = read_curves(plan, store)
    assert len(curve.at) == len(curve.values["reward"]) == MOST_POINTS
    assert curve.at[0] == curve.values["reward"][0][0] == 5.5  # steps 1 to 10
    assert curve.at[-1] == curve.values["reward"][-1][0] == 395.5


def test_other_numbers_are_no_points(tmp_path):
    text = '{"step": 1, "reward": NaN}\n{"step": 2, "reward": "x"}\n{"reward": 1.0}\n[3]\n{"step": 3, "reward": 1.5}\n'
    plan, store = stored(tmp_path, [text])
    [curve], problems = read_curves(plan, store)
    assert curve.values == {"reward": (None, None, (1.5, 1.5, 1.5))} and problems == []


def test_metrics_that_cannot_be_read_are_told(tmp_path):
    plan, store = stored(tmp_path, ["{"])
    curves, [problem] = read_curves(plan, store)
    assert curves == () and "metrics.jsonl, of code" in problem


def test_the_figure_marks_the_stages_by_name_or_where_they_end(tmp_path):
    plan, store = stored(tmp_path, [lines(6, 1.0)])
    curves, _ = read_curves(plan, store)
    leaderboard, _ = make_leaderboard(tmp_path / "board")
    second = [StageCurve(**{**vars(one), "step": 2, "label": "math", "methods": ("sequential",)}) for one in curves]
    figure = training_curves(record_of(leaderboard, curves=(*curves, *second)))
    stages, steps = figure.views
    assert [panel.title for panel in stages.panels] == ["reward", "completion length (tokens)"]
    assert stages.panels[0].x.names == ("code", "math")
    assert [mark.x for mark in stages.panels[0].series[1].marks] == pytest.approx([1 + k / 6 for k in range(1, 7)])
    assert [mark.x for mark in steps.panels[0].series[1].marks] == [7, 8, 9, 10, 11, 12]
    assert [rule.at for rule in steps.panels[0].rules] == [6, 12]
    assert figure.numbers.rows[0] == ("code", "sequential, re-math", "6", "1 → 6", "8 → 8")


def test_a_record_without_curves_says_so(tmp_path):
    leaderboard, _ = make_leaderboard(tmp_path)
    absent = training_curves(record_of(leaderboard))
    assert isinstance(absent, Absent) and "store of a run" in absent.reason


def test_an_archived_run_keeps_its_curves(tmp_path):
    plan, store = make_plan(seeds=(0,)), Store(tmp_path / "store")
    first = plan.methods[0].lineage[1]
    put(store, first, {"result.json": {"cost": COST, "report": {}}, "metrics.jsonl": lines(6, 1.0)})
    folder = write_run(tmp_path)
    kept = tmp_path / "kept"
    result = CliRunner().invoke(app, ["leaderboard", "add", str(folder), "-d", str(kept)])
    assert result.exit_code == 0, result.output
    assert read_run(kept).curves == read_run(folder).curves != ()
    assert 'id="training-curves"' in (kept / "report.html").read_text()
    assert parse_curves(kept / "curves.json") == read_run(folder).curves
    assert curves_to_json(()) == ""
    (kept / "curves.json").write_text("[3]")
    with pytest.raises(UsageError, match="cannot be read"):
        read_run(kept)
