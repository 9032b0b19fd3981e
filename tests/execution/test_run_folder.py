import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from runnable_world import Bench

from harness._util.console_log import output_to
from harness.execution.progress import PlainReporter, TerminalReporter
from harness.execution.provenance import gather_provenance, portable_command
from harness.execution.run_folder import RunFolder


@settings(max_examples=25)  # every event is synced to the disk
@given(
    before=st.lists(st.text(max_size=8), max_size=3),
    cut=st.integers(1, 12),
    after=st.lists(st.text(max_size=8), min_size=1, max_size=3),
)
def test_events_after_a_torn_line_are_whole(tmp_path_factory, before, cut, after):
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    for name in [*before, "torn"]:
        folder.append(name, label=name)
    log = folder.path / "events.jsonl"
    log.write_bytes(log.read_bytes()[:-cut])
    for name in after:
        folder.append(name, label=name)
    kept = [event["event"] for event in folder.events()]
    # A cut of the line's end alone takes its newline, not its content.
    assert kept == [*before, *(["torn"] if cut == 1 else []), *after]
    assert all(event["label"] == event["event"] for event in folder.events())


def test_a_folder_without_a_log_has_no_events(tmp_path):
    assert RunFolder(tmp_path).events() == []
    assert RunFolder(tmp_path).provenance() == {}


TABLES = ("scores.parquet", "leaderboard.json")


def test_tables_count_only_when_made_of_as_many_results(tmp_path):
    folder = RunFolder(tmp_path)
    for name in TABLES:
        (tmp_path / name).write_text("whole")
    assert not folder.tables_hold(3)
    folder.tables_written(3)
    assert folder.tables_hold(3)
    assert not folder.tables_hold(4)


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_are_damaged_or_gone_do_not_count(tmp_path, name):
    folder = RunFolder(tmp_path)
    for table in TABLES:
        (tmp_path / table).write_text("whole")
    folder.tables_written(3)
    (tmp_path / name).write_text("torn")
    assert not folder.tables_hold(3)
    (tmp_path / name).unlink()
    assert not folder.tables_hold(3)


def test_lines_of_the_log_that_are_no_events_of_ours_do_not_matter(tmp_path):
    (tmp_path / "events.jsonl").write_text('{"x": 1}\n[]\nnull\n')
    assert not RunFolder(tmp_path).tables_hold(0)


def test_provenance_says_what_a_result_was_made_with_and_nothing_private(tmp_path):
    bench = Bench(tmp_path)
    record = gather_provenance(bench.plan, bench.registry)
    assert record["plan"] == bench.plan.key
    assert record["packages"]["pydantic"]
    assert record["hardware"]["cores"] >= 1
    assert record["plugins"]["runnable-world"] == "0"
    assert str(Path.home()) not in json.dumps(record)


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("lab", "lab"),
        ("/runs/here/lab.yaml", "lab.yaml"),
        ("/people/somebody/lab.yaml", "…/lab.yaml"),
        ("--runs=/people/somebody/runs", "--runs=…/runs"),
        ("~/lab.yaml", "…/lab.yaml"),
        ("--seeds=0,1", "--seeds=0,1"),
    ],
)
def test_commands_are_recorded_without_peoples_folders(argument, told):
    assert portable_command([argument], Path("/runs/here")) == [told]


def test_plain_progress_is_a_few_lines_a_step(tmp_path, capsys):
    bench = Bench(tmp_path)
    reporter = PlainReporter(Console(width=200))
    reporter.begin(9, 2)
    node = bench.plan.nodes[bench.key("a")]
    reporter.node_started(node, 3)
    for step in range(1, 101):
        reporter.progress(node, step, 100, {"loss": 1.0, "reward": step / 100})
    reporter.node_finished(node, 1.5, None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "[3/9] train a (seed 0)"
    assert [line for line in lines if "/100" in line] == [
        f"[3/9] train a (seed 0): {step}/100  reward {step / 100:.3g}" for step in (20, 40, 60, 80)
    ]
    assert lines[-1] == "[3/9] train a (seed 0): done after 1.5 s"


def shown_on_a_terminal(node, width):
    """Returns the bars as they stand in the middle of a node."""
    reporter = TerminalReporter(Console(width=width, force_terminal=True, record=True))
    reporter.begin(9, 2)
    reporter.node_started(node, 3)
    reporter.progress(node, 115, 240, {"reward": -0.125})
    shown = Console(width=width)
    with shown.capture() as capture:
        shown.print(reporter._bars.get_renderable())
    reporter.end()
    return capture.get()


def test_a_terminal_shows_the_node_its_reward_and_the_time_left(tmp_path):
    bench = Bench(tmp_path)
    text = shown_on_a_terminal(bench.plan.nodes[bench.key("a")], 160)
    assert "train a (seed 0)" in text
    assert "115/240 -:--:-- reward -0.125" in text


@pytest.mark.parametrize("width", [80, 64])
def test_a_long_title_is_cut_before_the_numbers_are(tmp_path, width):
    bench = Bench(tmp_path)
    node = replace(bench.plan.nodes[bench.key("a")], label="train the-domain-with-the-longest-name and-one-more")
    text = shown_on_a_terminal(node, width)
    assert "train the-d" in text
    assert "115/240 -:--:-- reward -0.125" in text
    assert max(map(len, text.splitlines())) <= width


PRINTING = """
import os, subprocess, sys
from pathlib import Path
from harness._util.console_log import lasting_stderr, output_to
terminal = lasting_stderr()
try:
    with output_to(Path(sys.argv[1])):
        print("a library speaks")
        os.write(2, b"native code warns\\n")
        subprocess.run(["echo", "a child complains"], check=True)
        print("for the person", file=terminal, flush=True)
        raise RuntimeError
except RuntimeError:
    print("told")
"""


def test_what_libraries_print_goes_to_the_log_and_what_a_person_needs_does_not(tmp_path):
    log = tmp_path / "run" / "console.log"
    done = subprocess.run([sys.executable, "-c", PRINTING, str(log)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("told\n", "for the person\n")
    assert sorted(log.read_text().splitlines()) == ["a child complains", "a library speaks", "native code warns"]


def test_a_log_that_grows_too_large_loses_its_middle(tmp_path, monkeypatch):
    monkeypatch.setattr("harness._util.console_log.MOST_BYTES", 1000)
    monkeypatch.setattr("harness._util.console_log.HEAD_BYTES", 100)
    monkeypatch.setattr("harness._util.console_log.TAIL_BYTES", 300)
    log = tmp_path / "console.log"
    with output_to(log):
        for number in range(1000):
            os.write(1, b"line %03d\n" % number)
    text = log.read_text()
    assert len(text) < 1000
    assert text.startswith("line 000\nline 001\n")
    assert text.endswith("line 998\nline 999\n")
    assert "bytes were cut here" in text
    with output_to(log):
        os.write(1, b"a little more\n")
    assert log.read_text() == text + "a little more\n"
