import json
import os
import subprocess
import sys

import pytest
from own_commands import commands_on
from runnable_world import Bench

from harness import PluginError, StepFailed, UsageError
from harness._util.environment import prepare_process
from harness.execution.engines.child_process import ChildProcess
from harness.plugin.config import NoConfig
from harness.plugin.engine_interface import NodeRequest


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def invoke(bench, monkeypatch, *arguments):
    """Runs a command on the plugins of the bench, scored as it scores."""
    command, *rest = arguments
    return commands_on(monkeypatch, bench.registry, bench.evaluate)(command, bench.path, *rest, "-o", bench.runs)


def test_run_prints_the_folder_and_the_leaderboard(bench, monkeypatch):
    result = invoke(bench, monkeypatch, "run", "--methods", "sequential")
    assert result.exit_code == 0
    assert f"run: {bench.runs}/small-" in result.stderr
    assert "[3/9] train a (seed 0)" in result.stderr
    assert "sequential" in result.stdout
    again = invoke(bench, monkeypatch, "run", "--methods", "sequential")
    assert "nothing to make: all 9 results are in the store" in again.stderr
    assert bench.world.trained == ["a", "b"]


def test_run_tells_scripts_what_it_came_to(bench, monkeypatch):
    result = invoke(bench, monkeypatch, "run", "--json", "--seeds", "0,1", "--methods", "back")
    told = json.loads(result.stdout)
    assert told["executed"] == told["nodes"] == 2 + 2 * (3 * 3 + 1)
    assert told["failures"] == []
    assert os.path.exists(told["leaderboard"])  # noqa: PTH110


@pytest.mark.parametrize("jobs", ["0", "-2", "two", "1.5"])
def test_a_number_of_jobs_is_positive_or_auto(bench, monkeypatch, jobs):
    error = invoke(bench, monkeypatch, "run", f"--jobs={jobs}").exception
    assert isinstance(error, UsageError)
    assert f"--jobs: '{jobs}' is not a number of steps" in str(error)
    assert invoke(bench, monkeypatch, "run", "--jobs", "1", "--threads", "1").exit_code == 0


def test_a_dry_run_makes_nothing(bench, monkeypatch):
    result = invoke(bench, monkeypatch, "run", "--dry-run", "--json")
    assert {row["done"] for row in json.loads(result.stdout)["nodes"]} == {False}
    lines = invoke(bench, monkeypatch, "run", "--dry-run").stdout.splitlines()
    assert {"to do  train a (seed 0)", "to do  recover a (undo) (seed 0)"} <= set(lines)
    assert "0 in the store" in lines[-1]
    assert not bench.runs.exists()


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_an_unknown_engine_is_told_before_anything_is_made(bench, monkeypatch, dry):
    result = invoke(bench, monkeypatch, "run", "--engine", "nope", *dry)
    assert isinstance(result.exception, PluginError)
    assert result.output == ""
    assert not bench.runs.exists()


def test_failures_are_told_behind_the_tables(bench, monkeypatch):
    def fail(names, step, context):
        if names == "b":
            raise RuntimeError("out of luck")

    bench.world.on_train = fail
    result = invoke(bench, monkeypatch, "run")
    assert "sequential" in result.stdout
    error = result.exception
    assert isinstance(error, StepFailed)
    assert error.exit_code == 1
    assert "1 step failed\n  b: runnable-world 0: algorithm 'add' failed: RuntimeError: out of luck" in str(error)
    assert "dependent results were skipped" in str(error)


def test_one_node_is_made_by_its_key(bench, monkeypatch):
    key = bench.key("a")
    assert invoke(bench, monkeypatch, "exec-node", key[:16]).exit_code == 0
    assert bench.store.has(key)
    assert bench.world.trained == ["a"]
    assert invoke(bench, monkeypatch, "exec-node", key).exit_code == 0
    assert bench.world.trained == ["a"]


@pytest.mark.parametrize(("key", "message"), [("no-such-key", "has no node"), ("", "nodes have keys that start")])
def test_a_key_that_names_no_node_is_told(bench, monkeypatch, key, message):
    error = invoke(bench, monkeypatch, "exec-node", key).exception
    assert isinstance(error, UsageError)
    assert message in str(error)


def test_a_node_whose_parent_is_missing_is_told(bench, monkeypatch):
    error = invoke(bench, monkeypatch, "exec-node", bench.key("b")).exception
    assert isinstance(error, StepFailed)
    assert "its parents are not in the store: a" in str(error)


def request(tmp_path, script):
    return NodeRequest(
        key="k", label="math", needs=frozenset(), protocol=tmp_path, store=tmp_path,
        arguments=[sys.executable, "-c", script], execute=lambda: None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("script", "raised", "message"),
    [
        ("import sys; print('error: math: no luck', '  → try', sep='\\n'); sys.exit(1)", StepFailed, "^math: no luck"),
        ("import sys; print('error: bad'); sys.exit(2)", UsageError, "bad"),
        ("import os; os.kill(os.getpid(), 9)", StepFailed, "killed, probably out of memory"),
        ("import sys; sys.exit(130)", KeyboardInterrupt, "^$"),
    ],
)
def test_a_childs_end_is_told_as_the_child_told_it(tmp_path, script, raised, message):
    with pytest.raises(raised, match=message):
        ChildProcess(NoConfig()).execute(request(tmp_path, script))


def test_a_child_that_ends_well_passes(tmp_path, capfd):
    ChildProcess(NoConfig()).execute(request(tmp_path, "print('step 1')"))
    assert "step 1" in capfd.readouterr().err


COMMAND = """
import os, signal, sys, typer
import harness.cli
from harness.cli import app, main

@app.command("burst")
def burst(how: str) -> None:
    if how == "defect":
        raise ValueError("what nobody expected")
    os.kill(os.getpid(), signal.SIGTERM if how == "stop" else signal.SIGINT)
    signal.pause()

main()
"""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["burst", "stop"], 4, "stopped\n"),  # only a run is resumed: tests/end_to_end/test_kill_resume.py
        (["burst", "interrupt"], 130, "interrupted\n"),
        (["burst", "defect"], 1, "error: internal error: ValueError: what nobody expected"),
        (["--debug", "burst", "defect"], 1, "Traceback"),
        (["burst"], 2, "Missing argument"),
        (["run", "no-such-protocol"], 2, "error: no file and no packaged protocol is called no-such-protocol"),
    ],
)
def test_exit_codes_and_their_one_message(arguments, code, message):
    done = subprocess.run([sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert message in done.stderr
    assert ("Traceback" in done.stderr) == ("--debug" in arguments)


WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


@pytest.mark.parametrize("chosen", WAITING)
def test_idle_openmp_threads_sleep_unless_the_user_chose_how_they_wait(chosen, monkeypatch):
    for name in WAITING:
        monkeypatch.setenv(name, "before")  # so that monkeypatch restores it
        monkeypatch.delenv(name)
    prepare_process(debug=True)
    assert {name: os.environ.get(name) for name in WAITING} == dict.fromkeys(WAITING) | {"OMP_WAIT_POLICY": "PASSIVE"}
    monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setenv(chosen, "7")
    prepare_process(debug=True)
    assert {name: os.environ.get(name) for name in WAITING} == dict.fromkeys(WAITING) | {chosen: "7"}


def test_torch_is_loaded_after_the_environment_is_set():
    code = "import sys, harness.cli, harness._util.environment; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_telemetry_is_off_and_offline_holds_for_every_library(monkeypatch):
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    prepare_process(debug=True)
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert "HF_HUB_OFFLINE" not in os.environ
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    prepare_process(debug=True)
    assert (os.environ["HF_HUB_OFFLINE"], os.environ["HF_DATASETS_OFFLINE"]) == ("1", "1")
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
