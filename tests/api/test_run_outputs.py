"""Exports, reports, archives and comparisons of a `Run`, used from Python."""

from __future__ import annotations

import json

import pytest
from fake_run import make_leaderboard

import harness
from harness.results.leaderboard import Leaderboard


@pytest.fixture
def run(tmp_path):
    """Returns a run with two seeds and no plugins."""
    _, folder = make_leaderboard(tmp_path / "runs", seeds=(0, 1), shift=lambda seed: 0.01 * seed)
    return harness.load_run(folder, registry=harness.Registry.of([]))


def test_a_run_without_a_leaderboard_is_begun_but_not_finished(tmp_path):
    _, folder = make_leaderboard(tmp_path / "runs")
    (folder / "leaderboard.json").unlink()
    (folder / "plan.json").write_text("{}")
    assert harness.load_run(folder).folder == folder
    with pytest.raises(harness.UsageError, match=r"no leaderboard\.json"):
        harness.load_run(folder, finished=True)


def test_an_export_holds_the_checkpoint_of_the_seed_and_step(run, tmp_path):
    folder = run.export("re-math", tmp_path / "model", step=2, seed=1)
    key = run.record.row("re-math").trajectory[2].checkpoints[1]
    assert folder == tmp_path / "model"
    assert (folder / "model.safetensors").read_text() == f"weights of {key}"
    assert "seed 1, after step 2" in (folder / "README.md").read_text().lower()
    with pytest.raises(harness.UsageError, match="not empty"):
        run.export("re-math", folder)


def test_a_report_names_its_files(run, tmp_path):
    written = run.write_report(tmp_path / "page.html", figures=tmp_path / "figures")
    assert written.files[0] == tmp_path / "page.html"
    assert {path.suffix for path in written.files[1:]} == {".svg", ".png"}
    assert all(path.is_file() for path in written.files)
    assert run.write_report().files == (run.folder / "report.html",)
    assert (run.folder / "report.html").read_bytes() == (tmp_path / "page.html").read_bytes()


def test_a_method_is_compared_with_all_others_by_default(run):
    [found] = run.compare("re-math")
    assert found.other == "sequential"
    assert [one.other for one in run.compare("re-math", ["base", "sequential"])] == ["base", "sequential"]
    with pytest.raises(harness.UsageError, match="no method 'nobody'"):
        run.compare("re-math", ["nobody"])


def test_an_archive_is_checked_and_rebuilt(run, tmp_path):
    files = run.archive(tmp_path / "kept")
    assert {path.name for path in files} >= {"leaderboard.json", "report.html"}
    assert harness.check_leaderboard(tmp_path / "kept" / "leaderboard.json") == run.record

    record = json.loads((tmp_path / "kept" / "leaderboard.json").read_text())
    record["rows"][1]["average"]["mean"] += 1
    (tmp_path / "kept" / "leaderboard.json").write_text(json.dumps(record))
    with pytest.raises(harness.UsageError, match="this record is inconsistent"):
        harness.check_leaderboard(tmp_path / "kept" / "leaderboard.json")
    rebuilt = harness.rebuild_leaderboard(tmp_path / "kept", registry=harness.Registry.of([]))
    assert {path.name for path in rebuilt} == {"leaderboard.json", "report.html"}
    assert harness.check_leaderboard(tmp_path / "kept" / "leaderboard.json") == run.record


def test_runs_are_combined_and_rendered(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # published tables are found in the source checkout
    _, folder = make_leaderboard(tmp_path / "other", seeds=(2,))
    board = harness.combine_runs([run, harness.load_run(folder)], published=True)
    assert isinstance(board, Leaderboard)
    assert board.seeds == (0, 1, 2)
    assert board.published and not harness.combine_runs([run]).published
    assert "re-math" in harness.render_leaderboard(board)
    with pytest.raises(harness.PluginError, match="no table-format is called 'clay'"):
        harness.render_leaderboard(board, "clay")
