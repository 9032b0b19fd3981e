"""`harness validate` and `harness schema` on the command line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from small_world import PROTOCOL, small_world
from typer.testing import CliRunner

from harness.cli import app
from harness.errors import ExitCode, ProtocolError
from harness.plugin.registry import Registry
from harness.protocol import find_protocol, load_protocol
from harness.protocol.schema import protocol_schema

HEAVY = ("torch", "transformers", "trl", "datasets", "lm_eval", "polars", "great_tables")
PROBE = f"""
import sys
from harness.cli import main
try:
    main()
except SystemExit as stopped:
    code = stopped.code or 0
print("imported:", [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture
def harness(monkeypatch, tmp_path):
    """Runs a command of the harness in this process, on the small world, in an empty folder."""
    packaged = tmp_path / "packaged.yaml"
    packaged.write_text(PROTOCOL)
    registry = small_world(packaged)
    monkeypatch.setattr(Registry, "discover", lambda **chosen: registry)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_a_right_protocol_is_ok_in_one_line(harness, tmp_path):
    result = harness("validate", "games")
    assert result.exit_code == 0
    assert result.stdout == f"ok: {tmp_path / 'packaged.yaml'}: games: 3 domains, 4 methods, 1 seed\n"
    told = json.loads(harness("validate", "games", "--json").stdout)
    assert (told["ok"], told["methods"], told["problems"]) == (True, 4, [])


def test_a_wrong_one_is_told_whole(harness, tmp_path):
    (tmp_path / "wrong.yaml").write_text(
        PROTOCOL.replace("fraction: 0.1", "fraction: 2").replace("go: {use", "og: {use")
    )
    result = harness("validate", "wrong.yaml")
    assert isinstance(result.exception, ProtocolError)
    assert len(result.exception.problems) > 2
    told = harness("validate", "wrong.yaml", "--json")
    assert told.exit_code == ExitCode.USAGE
    problems = json.loads(told.stdout)["problems"]
    assert (15, "methods.undone[3].fraction") in [(problem["line"], problem["key"]) for problem in problems]
    assert [problem["line"] for problem in problems] == sorted(problem["line"] for problem in problems)


def test_an_unknown_plugin_is_told_by_exit_code(harness, tmp_path):
    (tmp_path / "wrong.yaml").write_text(PROTOCOL.replace("go: {use: go}", "go: {use: goo}"))
    told = harness("validate", "wrong.yaml", "--json")
    assert told.exit_code == ExitCode.PLUGIN
    assert json.loads(told.stdout)["problems"][0]["hint"] == "did you mean go?"


def test_the_schema_names_the_installed_plugins(harness):
    schema = json.loads(harness("schema").stdout)
    assert schema == protocol_schema(small_world())
    assert set(schema["properties"]) == {
        *("schema", "name", "summary", "model", "seeds", "requires", "domains", "train", "evaluate", "methods"),
        *("probes", "metrics", "allow", "launch", "engine", "resources", "observers"),
    }
    domain = schema["properties"]["domains"]["additionalProperties"]
    assert {"go", "small-world/go"} <= set(domain["properties"]["use"]["enum"])
    recovery = schema["$defs"]["Step"]["anyOf"][2]
    assert {"undo", "repeat"} <= set(recovery["properties"]["with"]["enum"])


def test_every_packaged_protocol_is_right():
    registry = Registry.discover()
    packaged = registry.all("protocol")
    assert packaged
    for offer in packaged:
        assert load_protocol(find_protocol(offer.qualified, registry), registry).methods


def run(*arguments):
    return subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [("validate", "lab"), ("plan", "lab"), ("schema",)])
def test_the_installed_command_imports_nothing_heavy(arguments, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path))
    result = run(*arguments)
    assert result.stderr.splitlines()[-1] == "imported: []"
    assert result.returncode == 0, result.stderr


def test_a_wrong_protocol_shows_no_traceback(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("schema: 1\nnaem: x\n")
    result = run("validate", str(path))
    assert result.returncode == ExitCode.USAGE
    assert f"{path}:2: naem: unknown key\n  → did you mean name?" in result.stderr
    assert f"{path}: domains: is missing" in result.stderr
    assert "Traceback" not in result.stderr
