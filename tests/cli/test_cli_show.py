"""`harness show` and `harness leaderboard`: output, lookup of runs, and errors."""

import io
import json
import os
import re
import subprocess
import sys

import pytest
import typer
from cli_output import cli_output
from fake_run import make_leaderboard
from rich.console import Console

import harness.report.tables
from harness import Run, TableFormat, TableFormatSpec, hookimpl
from harness.api.find_run import find_run_folder
from harness.cli import leaderboard as leaderboard_command
from harness.cli import show as show_command
from harness.cli.leaderboard_view import print_tables
from harness.cli.session import Session
from harness.cli.show import print_leaderboard
from harness.errors import PluginError, UsageError
from harness.plugin.registry import Registry
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard


class BrokenTables(TableFormat):
    def __init__(self, config):
        pass

    def render(self, leaderboard):
        return leaderboard.nothing


class Broken:
    @hookimpl
    def harness_table_formats(self):
        yield TableFormatSpec(name="broken", summary="Fails", extension="broken", load=BrokenTables)


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def invoke(runs, monkeypatch):
    """Returns a function that runs a command and gives its output; a HarnessError is raised as it is."""
    monkeypatch.setenv("HARNESS_RUNS", str(runs))
    small = typer.Typer()
    plugins = [("mdrl-harness", harness.report.tables)]

    @small.callback()
    def options(context: typer.Context) -> None:
        context.obj = Session()
        context.obj.__dict__["registry"] = Registry.of(plugins)

    show_command.register(small)
    leaderboard_command.register(small)

    def run(*arguments, with_broken=False):
        if with_broken:
            plugins.append(("harness-broken", Broken()))
        return cli_output(small, *arguments)

    return run


def printed(folder, width):
    console = Console(file=io.StringIO(), width=width)
    print_leaderboard(Run(folder), console)
    return console.file.getvalue()


def test_show_prints_ranking_steps_recoveries_and_files(runs, invoke):
    make_leaderboard(runs)
    text = invoke("show")
    assert "\x1b" not in text
    assert re.search(r"re-math +1a +72.0 ±2.0 +93.0 ±2.0 +48.0 ±2.0 +71.0 ±1.1", text)
    assert re.search(r"base \(reference\) +– +50.0", text)
    assert re.search(r"3 train qa +70.0 −18.0 +75.0 −20.0 +50.0 \+16.0 +65.0  −7.3", text)
    assert re.search(r"re-math +math +95.0 +75.0 +93.0 +0.90 \[\S+ \S+\] +1.0 (±\S+|\[\S+ \S+\]) +0.0 ±\S+ +3", text)
    assert "leaderboard.json" in text


def test_a_narrow_terminal_shows_every_number_whole(runs):
    _, folder = make_leaderboard(runs, seeds=(0, 1), shift=lambda seed: 0.01 * seed)
    text = printed(folder, 80)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines() if str(folder) not in line) <= 80
    for value in ("72.5", "93.5", "48.5", "71.5", "0.90"):
        assert value in text


def test_four_domains_and_their_average_stand_in_one_table_of_80_columns(runs):
    board, _ = make_leaderboard(runs)

    def widened(one):
        return one.model_copy(update={"scores": one.scores | {"cw": one.scores["qa"]}})

    rows = tuple(
        widened(row).model_copy(update={"trajectory": tuple(map(widened, row.trajectory))}) for row in board.rows
    )
    console = Console(file=io.StringIO(), width=80)
    rows = tuple(row.model_copy(update={"method": f"{row.method}-rollback"[-15:]}) for row in rows)  # not folded
    print_tables(board.model_copy(update={"columns": (*board.columns, "cw"), "rows": rows}), console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert len(re.findall(r"code +math +qa +cw +average", text)) == 2
    assert all(re.search(rf"^{row.method} +{row.rank}a ", text, re.MULTILINE) for row in rows if row.rank)
    assert "…" not in text


def test_an_interval_that_lies_unevenly_is_shown_by_its_ends(runs):
    board, _ = make_leaderboard(runs)
    zero = Estimate(mean=0.0, ci95=(0.0, 27.75), per_seed=(0.0,), stderr=(0.0,), n=10, interval="wilson")
    row = board.rows[0].model_copy(update={"average": zero})
    console = Console(file=io.StringIO(), width=120)
    print_tables(board.model_copy(update={"rows": (row,)}), console)
    assert "0.0 [0.0, 27.8]" in console.file.getvalue()


def test_many_columns_are_split_over_tables_and_none_is_lost(runs):
    board, _ = make_leaderboard(runs)
    columns = tuple(f"domain{index}" for index in range(12))
    rows = tuple(row.model_copy(update={"scores": dict.fromkeys(columns, row.scores["math"])}) for row in board.rows)
    console = Console(file=io.StringIO(), width=80)
    print_tables(board.model_copy(update={"columns": columns, "rows": rows, "measurement": {}}), console)
    text = console.file.getvalue()
    assert all(column in text for column in columns)
    assert max(map(len, text.splitlines())) <= 80


def test_a_name_that_looks_like_markup_is_shown_as_it_is(runs):
    _, folder = make_leaderboard(runs, sequential="[red]x[/]")
    assert "[red]x[/]" in printed(folder, 120)


def test_show_as_json_is_the_record(runs, invoke):
    board, folder = make_leaderboard(runs)
    assert Leaderboard.parse(invoke("show", folder, "--json"), "output") == board


def test_a_run_is_found_by_path_folder_or_protocol_and_the_latest_wins(runs):
    _, old = make_leaderboard(runs)
    _, new = make_leaderboard(runs, steps=100)
    _, other = make_leaderboard(runs, protocol="other")
    for age, folder in enumerate((other, new, old)):
        os.utime(folder / "leaderboard.json", (1_000_000 - age, 1_000_000 - age))
    assert find_run_folder("fake", runs) == new
    assert find_run_folder(old.name, runs) == old
    assert find_run_folder(str(old), runs) == old
    assert find_run_folder(None, runs) == other
    file = runs / "mine.yaml"
    file.write_text("schema: 1\nname: fake\n")
    assert find_run_folder(str(file), runs) == new


def test_a_run_that_is_not_there_is_told_with_those_that_are(runs, tmp_path):
    with pytest.raises(UsageError, match="no run yet"):
        find_run_folder(None, runs)
    _, folder = make_leaderboard(runs)
    with pytest.raises(UsageError, match="no run 'lab'") as caught:
        find_run_folder("lab", runs)
    assert folder.name in caught.value.hint
    with pytest.raises(UsageError, match=r"no leaderboard\.json"):
        find_run_folder(str(tmp_path), runs)


def test_a_record_of_a_newer_harness_is_refused(runs, invoke):
    _, folder = make_leaderboard(runs)
    path = folder / "leaderboard.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 9}))
    with pytest.raises(UsageError, match="schema 9"):
        invoke("show", folder)


def test_export_prints_or_writes_the_latest_run(runs, invoke, tmp_path):
    make_leaderboard(runs)
    text = invoke("leaderboard", "export", "-f", "csv")
    assert text.startswith("protocol,model,method")
    invoke("leaderboard", "export", "-f", "csv", "-o", tmp_path / "new" / "table.csv")
    assert (tmp_path / "new" / "table.csv").read_text() == text


def test_export_of_an_unknown_or_broken_format_is_the_plugins_fault(runs, invoke):
    make_leaderboard(runs)
    with pytest.raises(PluginError, match="xlsx"):
        invoke("leaderboard", "export", "-f", "xlsx")
    with pytest.raises(PluginError, match=r"harness-broken/broken .*failed: AttributeError"):
        invoke("leaderboard", "export", "-f", "broken", with_broken=True)


def test_export_of_several_runs_refuses_what_was_measured_otherwise(runs, invoke):
    _, one = make_leaderboard(runs / "a")
    _, two = make_leaderboard(runs / "b", sequential="other", changes={"task_hash": "newer"})
    with pytest.raises(UsageError, match="task version"):
        invoke("leaderboard", "export", one, two)
    assert "was measured differently" in invoke("leaderboard", "export", one, two, "--allow-mixed")


def test_published_rows_are_added_where_asked_for(runs, invoke, tmp_path):
    make_leaderboard(runs)
    assert "57.66" not in invoke("leaderboard", "export")
    assert r"57.66 \[P\]" in invoke("leaderboard", "export", "--with-published")
    with pytest.raises(UsageError, match="no published results"):
        invoke("leaderboard", "export", "--published", tmp_path)


def test_validate_accepts_a_record_and_names_contradictions(runs, invoke):
    _, folder = make_leaderboard(runs)
    path = folder / "leaderboard.json"
    assert "3 rows, 3 columns, consistent" in invoke("leaderboard", "validate", path)
    assert invoke("leaderboard", "validate", folder) == invoke("leaderboard", "validate", path)
    data = json.loads(path.read_text())
    data["rows"][0]["rank"] = 7
    path.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="rank 7, but its average gives rank 1"):
        invoke("leaderboard", "validate", path)


def test_add_keeps_the_record_its_provenance_and_tables_of_every_format(runs, invoke, tmp_path):
    board, folder = make_leaderboard(runs)
    (folder / "provenance.json").write_text('{"packages": {}}')
    kept = tmp_path / "leaderboards" / "fake"
    invoke("leaderboard", "add", "fake", "-d", kept)
    invoke("leaderboard", "add", "fake", "-d", kept)
    tables = {f"leaderboard.{extension}" for extension in ("md", "csv", "tex", "html")}
    names = {"leaderboard.json", "provenance.json", "report.html"} | tables
    assert {path.name for path in kept.iterdir()} == names
    assert Leaderboard.read(kept / "leaderboard.json") == board
    assert (kept / "provenance.json").read_text() == '{"packages": {}}'


def test_a_folder_that_cannot_be_written_to_is_told(runs, invoke, tmp_path):
    make_leaderboard(runs)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        invoke("leaderboard", "add", "fake", "-d", tmp_path / "file")


def test_a_terminal_without_the_signs_shows_the_numbers_and_their_minus(runs):
    _, folder = make_leaderboard(runs)
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "harness", "show", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    whole = printed(folder, 200)
    for sign, plain in (("−", " -"), ("±", "+-")):
        count = len(re.findall(rf"{sign}\d", whole))
        assert count > 0
        assert len(re.findall(rf"{re.escape(plain)}\d", done.stdout.decode("ascii"))) == count
