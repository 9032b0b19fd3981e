"""Bars, sparklines and intervals: what they show, only on terminals, in any width, with colours only where wanted."""

import io
import os
import pty
import re
import subprocess
import sys

import pytest
from fake_run import make_leaderboard
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from harness._util.console import safe_console
from harness.cli.differences_view import print_differences
from harness.cli.graphics import BLOCKS, bar, draws, group_style, interval_marks, sparkline
from harness.cli.leaderboard_view import print_tables
from harness.cli.narrow_table import add_row, new_table
from harness.report.tables.differences import compared_scores
from harness.results.compare import comparable_methods, compared
from harness.results.estimates import Estimate

DRAWN = re.compile("[▁▂▃▄▅▆▇█●├┤]")
numbers = st.floats(-1e6, 1e6)


@pytest.fixture
def board(tmp_path):
    return make_leaderboard(tmp_path, seeds=(0, 1, 2), shift=lambda seed: 0.01 * seed)[0]


def console_of(width=100, *, terminal=True, **settings):
    return safe_console(file=io.StringIO(), width=width, force_terminal=terminal, legacy_windows=False, **settings)


def shown(print_it, **settings):
    console = console_of(**settings)
    print_it(console)
    return console.file.getvalue()


def test_a_sparkline_rises_with_its_values():
    assert sparkline([0, 50, 100, None], 0, 100) == "▁▅█·"
    assert sparkline([3, 3], 3, 3) == "▅▅"
    assert sparkline([1.0, -1.0], 0.0, 1e-308) == "█▁"


@given(st.lists(numbers | st.none(), min_size=1), numbers, numbers)
def test_a_sparkline_has_a_sign_for_every_value(values, one, other):
    line = sparkline(values, min(one, other), max(one, other))
    assert len(line) == len(values) and set(line) <= {*BLOCKS, "·"}


@pytest.mark.parametrize(
    ("value", "drawn"), [(100, "█" * 8), (50, "█" * 4), (51, "████▏"), (0, ""), (None, ""), (-5, ""), (200, "█" * 8)]
)
def test_a_bar_is_as_long_as_its_value(value, drawn):
    assert bar(value, 100, 8) == drawn


def test_an_interval_stands_around_its_mean_and_the_zero():
    assert interval_marks(Estimate(mean=5.0, ci95=(3.0, 8.0)), 10, 21) == "          │  ├─●──┤  "
    assert interval_marks(Estimate(mean=0.0, ci95=(-5.0, 5.0)), 10, 21) == "     ├────●────┤     "
    assert interval_marks(Estimate(mean=9.0, ci95=(-20.0, 20.0)), 10, 21).startswith("◂")
    assert interval_marks(Estimate(), 10, 21) == ""


@given(numbers, numbers, numbers, st.floats(0.01, 1e6))
def test_an_interval_is_as_wide_as_asked_and_has_its_mean(mean, one, other, reach):
    marks = interval_marks(Estimate(mean=mean, ci95=(min(one, other), max(one, other))), reach, 21)
    assert len(marks) == 21 and marks.count("●") == 1


def test_rank_groups_have_colours_and_the_last_is_for_all_others():
    assert len({group_style(group) for group in range(1, 6)}) == 5
    assert group_style(5) == group_style(40) != group_style(None) == ""


def test_the_leaderboard_has_bars_and_trajectories_on_a_terminal(board):
    text = shown(lambda console: print_tables(board, console), color_system="truecolor")
    assert re.search(r"72\.\d ±\S+ +█+", Text.from_ansi(text).plain)
    assert re.search(r"sequential +▁██▅ ", Text.from_ansi(text).plain)
    assert "\x1b[1;32m" in text  # the best rank group


def test_without_a_terminal_there_are_numbers_alone(board):
    for print_it in printers(board):
        plain = shown(print_it, terminal=False)
        assert not DRAWN.search(plain) and "\x1b" not in plain


def printers(board):
    found = compared(board, "sequential", comparable_methods(board, "sequential"))
    yield lambda console: print_tables(board, console)
    for some in (found, found[:1]):
        scores = compared_scores(board, some)
        yield lambda console, some=some, scores=scores: print_differences(board, some, scores, console)


def test_no_color_leaves_no_colour(board, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    for print_it in printers(board):
        text = shown(print_it, color_system="truecolor")
        codes = {code for found in re.findall(r"\x1b\[([\d;]*)m", text) for code in found.split(";")}
        assert codes <= {"0", "1", "2"}  # bold and dim are no colours
        assert DRAWN.search(text)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_every_table_fits_the_terminal(board, width):
    for print_it in printers(board):
        text = shown(print_it, width=width, color_system=None)
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text


def test_an_encoding_without_the_signs_is_not_drawn_in():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    assert not draws(Console(file=stream, force_terminal=True))
    assert not draws(Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}))


def test_names_with_control_characters_keep_the_columns_in_line():
    table = new_table("method", ["score\x1b[2J"])
    add_row(table, ["evil\x1b[2J\u202e", "1.0"])
    add_row(table, ["good", "2.0"])
    console = console_of(color_system=None)
    console.print(table)
    lines = console.file.getvalue().splitlines()
    assert "\x1b" not in "".join(lines) and "evil\\x1b[2J\\u202e" in lines[2]
    assert lines[2].rstrip().endswith("1.0") and len(lines[2].rstrip()) == len(lines[3].rstrip())


def on_a_terminal(*arguments, **environment):
    """Returns what a command writes to a pseudo-terminal of 100 columns, with output and errors together."""
    ours, theirs = pty.openpty()
    settings = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "PYTHONIOENCODING": "utf-8", **environment}
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=settings)
    os.close(theirs)
    read = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not part:
            break
        read += part
    process.wait()
    os.close(ours)
    return read.decode()


def test_the_command_draws_on_a_real_terminal(tmp_path):
    _, folder = make_leaderboard(tmp_path, seeds=(0, 1))
    text = on_a_terminal("show", folder)
    assert "█" in text and "\x1b[1;32m" in text
    without = on_a_terminal("show", folder, NO_COLOR="1")
    assert "█" in without and "\x1b[1;32m" not in without


def test_an_error_is_red_unless_no_color_is_set(tmp_path):
    assert "\x1b[31m" in on_a_terminal("show", "nothing", HARNESS_RUNS=str(tmp_path))
    assert "\x1b" not in on_a_terminal("show", "nothing", HARNESS_RUNS=str(tmp_path), NO_COLOR="1")
