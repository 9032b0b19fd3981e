"""`harness leaderboard verify`: exit codes, one line per fault, JSON."""

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from harness.cli import leaderboard
from harness.cli.session import Session
from harness.plugin.registry import Registry

KEPT = Path(__file__).parents[2] / "leaderboards" / "lab"


@pytest.fixture
def invoke():
    app = typer.Typer()
    leaderboard.register(app)
    app.command("other")(lambda: None)

    def call(*arguments):
        session = Session()
        session.__dict__["registry"] = Registry.of([])
        return CliRunner().invoke(app, ["leaderboard", "verify", *map(str, arguments)], obj=session)

    return call


@pytest.fixture
def changed(tmp_path):
    folder = tmp_path / "lab"
    shutil.copytree(KEPT / "recoveries", folder)
    data = json.loads((folder / "leaderboard.json").read_text())
    data["rows"][0]["average"]["ci95"][1] += 1
    (folder / "leaderboard.json").write_text(json.dumps(data))
    return folder


def test_a_record_that_passes_says_what_it_lacks(invoke):
    result = invoke(KEPT)
    assert result.exit_code == 0
    assert "passed\n" in result.output
    assert "not checked: samples are not kept: scores not recomputed\n" in result.output


def test_complete_fails_for_what_could_not_be_checked(invoke):
    assert invoke("--complete", KEPT).exit_code == 1


def test_each_fault_is_a_line_with_place_expected_and_found(invoke, changed):
    result = invoke(KEPT, changed)
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if "fault:" in line]
    assert "average.ci95.1: expected " in line and ", found " in line


def test_json_has_all_records(invoke, changed):
    result = invoke("--json", KEPT, changed)
    assert result.exit_code == 1
    first, second = json.loads(result.output)
    assert first["passed"] and first["faults"] == []
    assert not second["passed"] and set(second["faults"][0]) == {"where", "expected", "found"}
