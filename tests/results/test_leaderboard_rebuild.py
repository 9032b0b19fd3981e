"""Records computed again from their scores: on reading an older schema, and by `rebuild`."""

import json

import pytest
import scipy.stats
import typer
from cli_output import cli_output
from fake_run import make_leaderboard

import harness.report.tables
from harness.cli import leaderboard as leaderboard_command
from harness.cli.session import Session
from harness.errors import UsageError
from harness.plugin.registry import Registry
from harness.results.leaderboard import Leaderboard
from harness.results.rebuild import rebuilt


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path))
    small = typer.Typer()

    @small.callback()
    def options(context: typer.Context) -> None:
        context.obj = Session()
        context.obj.__dict__["registry"] = Registry.of([("mdrl-harness", harness.report.tables)])

    leaderboard_command.register(small)
    return lambda *arguments: cli_output(small, *arguments)


def older(board):
    """Returns the record as schema 1 had it: other intervals, no groups, no damage."""
    data = json.loads(board.to_json())

    def change(value):
        if isinstance(value, dict):
            if "per_seed" in value and value["mean"] is not None:
                several = len(value["per_seed"]) > 1
                value |= {
                    "ci95": [value["mean"] - 1, value["mean"] + 1],
                    "interval": "seeds" if several else "sampling",
                }
            for name in ("rank_group", "damage", "remark"):
                value.pop(name, None)
            for item in value.values():
                change(item)
        elif isinstance(value, list):
            for item in value:
                change(item)

    change(data["rows"])
    return json.dumps(data | {"schema": 1})


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_a_record_of_an_older_schema_is_read_as_the_run_would_give_it_now(tmp_path, seeds):
    board, _ = make_leaderboard(tmp_path, seeds=seeds, shift=lambda seed: seed * (8 + seed) / 512)
    assert rebuilt(board) == board
    read = Leaderboard.parse(older(board), "here")
    assert json.loads(read.to_json()) == json.loads(board.to_json())


def test_validate_refuses_old_intervals_and_rebuild_replaces_them_in_all_files(tmp_path, invoke):
    board, folder = make_leaderboard(tmp_path / "runs", seeds=(0, 1, 2), shift=lambda seed: 0.02 * seed)
    (folder / "leaderboard.json").write_text(older(board))
    (folder / "leaderboard.md").write_text("old")
    with pytest.raises(UsageError, match="schema 1") as caught:
        invoke("leaderboard", "validate", folder)
    assert f"rebuild {folder}" in caught.value.hint
    written = invoke("leaderboard", "rebuild", folder).split()
    assert written == [str(folder / "leaderboard.json"), str(folder / "leaderboard.md")]
    assert "consistent" in invoke("leaderboard", "validate", folder)
    math = Leaderboard.read(folder / "leaderboard.json").row("re-math").scores["math"]
    expected = scipy.stats.t.interval(0.95, 2, 95.0, scipy.stats.sem([93.0, 95.0, 97.0]))
    assert math.ci95 == pytest.approx(expected)
    assert f"[{expected[0]:.1f}, {expected[1]:.1f}\\]" in (folder / "leaderboard.md").read_text().replace("\\[", "[")


def test_an_interval_that_does_not_follow_from_the_scores_is_found(tmp_path, invoke):
    board, folder = make_leaderboard(tmp_path / "runs", seeds=(0, 1, 2), shift=lambda seed: 0.02 * seed)
    data = json.loads(board.to_json())
    data["rows"][0]["average"]["ci95"][0] += 0.01
    data["rows"][1]["rank_group"] = 2
    (folder / "leaderboard.json").write_text(json.dumps(data))
    with pytest.raises(UsageError, match=r"re-math: average\.ci95\.0 is .*\n.*sequential: rank_group is 2, but the"):
        invoke("leaderboard", "validate", folder)
