"""`harness status` and `harness watch`: the output for runs in each state, and when watching ends."""

import io
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text
from runnable_world import Bench
from typer.testing import CliRunner

from harness import NodeStatus, RunStatus, TimeLeft
from harness.api.find_run import find_watched_folder
from harness.cli import app
from harness.cli import watch as watch_command
from harness.cli.status_view import overview, summary_lines
from harness.cli.watch import follow
from harness.errors import UsageError


def node(label, state, **fields):
    return NodeStatus(key=label, kind="train", label=label, seed=0, state=state, **fields)


def status(*nodes, state="running", reason="", left=None):
    started = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    return RunStatus(
        folder=Path("runs/x"), protocol="x", state=state, reason=reason, slots=2, started=started, nodes=nodes,
        time_left=left,
    )  # fmt: skip


def printed(now, **options):
    console = Console(file=io.StringIO(), width=120)
    console.print(overview(now, **options))
    return console.file.getvalue()


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_running_run_shows_slots_progress_metrics_and_time_left():
    left = TimeLeft(seconds=200, critical_seconds=65, critical_path=("b",), unmeasured={"probe": 3})
    running = node("b", "running", seconds=75.2, step=12, steps=240, metrics={"reward": 0.5}, worker="worker 2")
    text = printed(status(node("a", "done"), running, node("c", "waiting"), left=left))
    assert "running since 2026-11-30 12:00:00 UTC, 1 of 2 slots in use" in text
    assert "1 of 3 results done, 1 running, 1 waiting" in text
    assert "at least 3 min 20 s left, the longest chain takes 1 min 05 s" in text
    assert "without results that have no known duration yet: 3 of kind probe" in " ".join(text.split())
    [row] = [line for line in text.splitlines() if "train b (seed 0)" in line]
    assert row.split() == [
        "running", "train", "b", "(seed", "0)", "12/240", "1", "min", "15", "s", "reward", "0.5", "worker", "2"
    ]  # fmt: skip
    assert "train a" not in text
    assert "train a (seed 0)" in printed(status(node("a", "done"), running), every_node=True)


def test_a_stopped_run_says_why_and_what_to_do():
    assert next(summary_lines(status(state="stopped", reason="interrupted"))) == (
        "runs/x: stopped: interrupted; `harness run` computes the rest"
    )


def test_errors_of_failed_results_are_shown():
    assert "train a (seed 0): no luck" in printed(status(node("a", "failed", error="no luck"), state="finished"))


def test_the_command_reads_a_finished_run(bench):
    folder = bench.run().folder
    result = CliRunner().invoke(app, ["status", str(folder)])
    assert "finished" in result.stdout
    data = json.loads(CliRunner().invoke(app, ["status", str(folder), "--json"]).stdout)
    assert (data["state"], data["counts"]["done"]) == ("finished", len(data["nodes"]))


def test_watching_prints_changes_and_ends_with_the_run():
    started = node("b", "running", step=0, steps=10)
    seen = iter(
        [
            status(node("a", "done"), node("b", "ready"), node("c", "ready")),
            status(node("a", "done"), started, node("c", "ready")),
            status(node("a", "done"), replace(started, step=1), node("c", "ready")),
            status(node("a", "done"), replace(started, step=3, metrics={"reward": 0.5}), node("c", "ready")),
            status(
                node("a", "done"), node("b", "done", seconds=4.2), node("c", "failed", error="no luck"),
                state="finished",
            ),
        ]
    )  # fmt: skip
    console, pauses = Console(file=io.StringIO(), width=200), []
    follow(lambda: next(seen), console, pause=lambda: pauses.append(1))
    assert len(pauses) == 4
    assert console.file.getvalue().splitlines() == [
        "runs/x: running since 2026-11-30 12:00:00 UTC, 0 of 2 slots in use",
        "1 of 3 results done, 2 ready",
        "train b (seed 0): running  0/10",
        "train b (seed 0): running  3/10  reward 0.5",
        "train b (seed 0): done after 4 s",
        "train c (seed 0): failed: no luck",
        "runs/x: finished",
        "2 of 3 results done, 1 failed",
    ]


def test_on_a_terminal_one_table_is_updated_until_the_run_ends():
    seen = iter([status(node("a", "running")), status(node("a", "done"), state="stopped", reason="killed")])
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    follow(lambda: next(seen), console, pause=lambda: None)
    assert "stopped: killed" in console.file.getvalue()


def test_watching_ends_at_once_where_nothing_runs(bench):
    folder = bench.run().folder
    result = CliRunner().invoke(app, ["watch", str(folder)])
    assert result.exit_code == 0
    assert "finished" in result.stdout


def test_an_interrupt_ends_only_the_watching(bench, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(watch_command, "follow", interrupted)
    result = CliRunner().invoke(app, ["watch", str(bench.run().folder)])
    assert (result.exit_code, result.stdout) == (0, "the run goes on\n")


def test_the_latest_run_is_the_one_with_the_latest_event(tmp_path):
    for name, at in (("x-0123456789ab", 200), ("x-0123456789ac", 300), ("y-0123456789ab", 400)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").touch()
        (tmp_path / name / "events.jsonl").touch()
        os.utime(tmp_path / name / "events.jsonl", (at, at))
    (tmp_path / "x-0123456789ad").mkdir()
    (tmp_path / "x-0123456789ad" / "plan.json").touch()
    assert find_watched_folder("x", tmp_path).name == "x-0123456789ac"
    assert find_watched_folder(None, tmp_path).name == "y-0123456789ab"
    assert find_watched_folder("x-0123456789ad", tmp_path).name == "x-0123456789ad"
    with pytest.raises(UsageError, match="there is no run 'z'"):
        find_watched_folder("z", tmp_path)


def test_a_terminal_shows_progress_as_bars_and_states_in_colour():
    running = node("b", "running", seconds=75.2, step=120, steps=240)
    now = status(node("a", "done"), running, node("c", "failed", error="no luck"))
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor", legacy_windows=False)
    console.print(overview(now))
    drawn = console.file.getvalue()
    assert "━" in drawn and "\x1b[36mrunning" in drawn and "\x1b[31mfailed" in drawn
    assert "━" not in printed(now)
    assert max(len(line) for line in Text.from_ansi(drawn).plain.splitlines()) <= 80
    [row] = [line for line in Text.from_ansi(drawn).plain.splitlines() if "train b" in line]
    assert "120/240" in row


def test_a_title_of_a_plugin_moves_no_cursor():
    text = printed(status(node("a\x1b[2J", "running")))
    assert "\x1b" not in text and "a\\x1b[2J" in text
