"""The curves within trainings in reports and kept leaderboards."""

import shutil
from dataclasses import replace

import pytest
from report_world import cells
from runnable_world import PROTOCOL, Bench

import harness
from harness.report.figure import Absent
from harness.report.figures.score_curves import score_curves
from harness.report.reading import read_run
from harness.results import ScoreCurves

EVERY = (
    PROTOCOL.replace("with: add, steps: 3", "with: stepping, steps: 5")
    .replace("probes:", "evaluate: {every: 2}\nprobes:")
    .replace("seeds: [0]", "seeds: [0, 1]")
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("curves"), EVERY)
    return harness.load_run(bench.run().folder, registry=bench.registry)


def test_every_model_of_every_method_is_in_the_table_once(run):
    numbers = score_curves(read_run(run.folder)).numbers
    assert [row[:3] for row in numbers.rows] == [
        ("base", "0", "0"),
        ("sequential: a", "2", "2"),
        ("sequential: a", "4", "4"),
        ("sequential: a", "5", "5"),
        ("sequential: b", "2", "7"),
        ("sequential: b", "4", "9"),
        ("sequential: b", "5", "10"),
        ("back: recover a (undo)", "0", "10"),
        ("again: recover a (repeat)", "2", "12"),
        ("again: recover a (repeat)", "4", "14"),
        ("again: recover a (repeat)", "5", "15"),
    ]
    assert cells(score_curves(read_run(run.folder)))["back: recover a (undo)"][2].startswith("6.000 [")


def test_starts_of_steps_are_marked_and_shared_parts_drawn_once(run):
    [view] = score_curves(read_run(run.folder)).views
    for panel in view.panels:
        assert {rule.at: rule.tip for rule in panel.rules} == {
            0.0: "start of a",
            5.0: "start of b",
            10.0: "start of recover a (repeat), recover a (undo)",
        }
        drawn = {one.name: [mark.x for mark in one.marks if mark.drawn] for one in panel.series}
        assert drawn == {"sequential": [0, 2, 4, 5, 7, 9, 10], "back": [10], "again": [12, 14, 15]}
        [again] = [one for one in panel.series if one.name == "again"]
        assert [mark.shape for mark in again.marks] == ["triangle", "circle", "circle", "triangle"]


def test_seeds_are_averaged(run):
    record = run.score_curve_record
    [curve] = [curve for curve in record.methods if curve.method == "again"]
    assert curve.seeds == (0, 1)
    assert len(curve.points[0].checkpoints) == 1 and len(curve.points[1].checkpoints) == 2
    assert curve.points[1].scores["a"].per_seed == (3.0, 3.0)
    assert ScoreCurves.read(run.folder / "score_curves.json") == record


def test_a_kept_leaderboard_has_the_same_curves(run, tmp_path):
    kept = tmp_path / "kept"
    run.archive(kept)
    assert read_run(kept).score_curves == run.score_curve_record
    assert "Scores within trainings" in (kept / "report.html").read_text()


def test_curves_that_cannot_be_read_are_told(run, tmp_path):
    (tmp_path / "score_curves.json").write_text('{"version": 2}')
    with pytest.raises(harness.UsageError, match="these curves cannot be read: version"):
        ScoreCurves.read(tmp_path / "score_curves.json")
    shutil.copytree(run.folder, tmp_path / "alone")  # without its store
    assert read_run(tmp_path / "alone").score_curves == run.score_curve_record


def test_a_run_without_them_says_what_to_set(run):
    figure = score_curves(replace(read_run(run.folder), score_curves=None))
    assert isinstance(figure, Absent) and "every" in figure.reason
