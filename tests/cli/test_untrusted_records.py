"""Untrusted records: where `leaderboard add` writes, what it refuses to read, and what tables contain."""

import json
import os
import shutil

import pytest
import typer
from fake_run import make_leaderboard

from harness import AlgorithmSpec, UsageError, hookimpl
from harness.cli import leaderboard
from harness.cli.session import Session
from harness.plugin.registry import Registry
from harness.report.tables.comma_separated import CommaSeparatedTables
from harness.results.leaderboard import Leaderboard


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Returns the folder of a kept record, which its plan does not contradict: a record that came from elsewhere."""
    _, folder = make_leaderboard(tmp_path / "runs")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return folder


def change(folder, edit):
    path = folder / "leaderboard.json"
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))


def add(folder, *arguments):
    from typer.testing import CliRunner

    app = typer.Typer()
    leaderboard.register(app)
    app.command("other")(lambda: None)
    session = Session()
    session.__dict__["registry"] = Registry.of([])
    result = CliRunner().invoke(app, ["leaderboard", "add", str(folder), *arguments], obj=session)
    if result.exception is not None:
        raise result.exception
    return result


@pytest.mark.parametrize(
    "name",
    ["../../outside", "/tmp/outside", "a/b", "nul\0", "", ".", "..", "x" * 300, "\x1b[2J", "=1+1", "a\nb", "C:\\x"],
)
@pytest.mark.parametrize("place", ["protocol", "column", "method"])
def test_a_name_that_no_protocol_can_have_is_refused_and_nothing_is_written(kept, tmp_path, name, place):
    def edit(data):
        if place == "protocol":
            data["protocol"] = name
        elif place == "column":
            data["columns"][0] = name
        else:
            data["rows"][0]["method"] = name

    change(kept, edit)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="is not a valid name"):
        add(kept)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", ["link", "pipe", "pipe as record"])
def test_what_is_no_plain_file_is_refused_and_never_waited_for(kept, tmp_path, kind):
    if kind == "link":
        (tmp_path / "secret").write_text("secret")
        (kept / "provenance.json").symlink_to(tmp_path / "secret")
    elif kind == "pipe":
        os.mkfifo(kept / "scores.parquet")
    else:
        (kept / "leaderboard.json").unlink()
        os.mkfifo(kept / "leaderboard.json")
        with pytest.raises(UsageError, match="not a regular file"):
            Leaderboard.read(kept / "leaderboard.json")
        return
    with pytest.raises(UsageError, match=r"a link|not a regular file"):
        add(kept)
    assert not (tmp_path / "here" / "leaderboards").exists()


def test_a_record_takes_no_place_but_its_own(kept, tmp_path):
    root = tmp_path / "here" / "leaderboards"
    add(kept)
    assert (root / "fake" / "leaderboard.json").is_file()
    shutil.move(root / "fake", root / "FAKE")
    with pytest.raises(UsageError, match="on a case-insensitive file system"):
        add(kept)
    shutil.rmtree(root / "FAKE")
    (tmp_path / "elsewhere").mkdir()
    (root / "fake").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="this is a link"):
        add(kept)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("text", ["[" * 100_000, '{"schema": ' + "[" * 100_000, '{"schema": 2, "a": ' + "9" * 10_000])
def test_json_that_no_reader_can_hold_is_a_message(tmp_path, text):
    path = tmp_path / "leaderboard.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="this is not JSON"):
        Leaderboard.read(path)


def test_a_cell_that_a_spreadsheet_would_execute_is_text(kept):
    def edit(data):
        for row, sign in zip(data["rows"], "=+-@", strict=False):
            row["method"] = f'{sign}HYPERLINK("http://localhost")'

    change(kept, edit)
    record = Leaderboard.read(kept / "leaderboard.json")
    lines = CommaSeparatedTables(None).render(record).splitlines()
    cells = [cell for line in lines for cell in line.replace('"', "").split(",")]
    assert any(cell.startswith("'=HYPERLINK") for cell in cells)
    for cell in cells:
        if cell.startswith(("=", "+", "-", "@")):
            float(cell)  # a negative number stays one


@pytest.mark.parametrize("summary", [None, 7, "two\nlines", "\x1b[2J", "tab\t"])
def test_a_summary_that_is_no_line_of_text_names_its_plugin(summary):
    class Plugin:
        @hookimpl
        def harness_algorithms(self):
            yield AlgorithmSpec(name="odd", summary=summary, load=object)

    failure = str(Registry.of([("odd-plugins", Plugin())]).failures)
    assert "odd" in failure and "summary" in failure
