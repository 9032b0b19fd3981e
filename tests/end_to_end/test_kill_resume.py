"""A run that is killed at random moments ends with the keys, weights and scores of an uninterrupted one."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.execution.store import MARKER, Store

KILLS = 5
PROTOCOL = """\
schema: 1
name: kill
summary: Two trainings and a refresh, small
model: {use: lab-tiny}
domains:
  math: {use: lab-math, prompts: 64}
  qa: {use: lab-qa, prompts: 64}
train: {with: grpo, steps: 6, learning_rate: 6.0e-4, prompts_per_step: 4, generations: 4, save_every: 2}
evaluate: {limit: 16, batch_size: 16}
methods:
  re-math: [math, qa, {recover: math, with: refresh, steps: 2}]
"""


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "harness", "run", str(folder / "kill.yaml"), "-o", str(folder / "runs"), *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HARNESS_DELTA_CHECKPOINTS": "always"}


def start(folder: Path) -> subprocess.Popen:
    (folder / "kill.yaml").write_text(PROTOCOL)
    return subprocess.Popen(
        command(folder), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment()
    )


def end(folder: Path) -> dict:
    """Runs to the end; returns what the run came to."""
    (folder / "kill.yaml").write_text(PROTOCOL)
    done = subprocess.run(command(folder, "--json"), capture_output=True, text=True, check=True, env=environment())
    return json.loads(done.stdout)


def results(folder: Path) -> dict[str, dict[str, str]]:
    """Returns, by key, the sha256 of each file whose bytes are the result: weights, scores, rows of probes."""
    store = Store(folder / "runs" / "store")
    keys = [path.parent.name for path in store.root.glob(f"*/{MARKER}")]
    found = {}
    for key in keys:
        assert store.verify(key) == []
        files = json.loads((store.path(key) / MARKER).read_text())["files"]
        found[key] = {
            name: entry["sha256"] for name, entry in files.items() if name in {"rows.json", "model/delta.bin"}
        }
        assert found[key]
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    end(folder)
    return results(folder)


def interrupt(folder: Path, signal_number: int, lines: int) -> tuple[int, str]:
    """Starts a run, sends it a signal once it has printed so many lines, and returns its code and last words."""
    process = start(folder)
    for _ in range(lines):
        process.stderr.readline()
    process.send_signal(signal_number)
    last = process.communicate()[1]
    return process.returncode, last


def test_a_run_killed_five_times_ends_as_an_undisturbed_one(tmp_path, undisturbed):
    draw = random.Random(5)
    for _ in range(KILLS):
        # Line 1 names the run, 2 counts; then a node starts, a training tells shares of its steps, a node ends.
        interrupt(tmp_path, signal.SIGKILL, draw.randrange(2, 10))
    outcome = end(tmp_path)
    assert outcome["failures"] == []
    assert results(tmp_path) == undisturbed
    assert not list((tmp_path / "runs" / "store").glob("*.tmp-*"))
    assert not list((tmp_path / "runs" / "store" / ".restored").iterdir())


def test_a_run_that_is_asked_to_stop_says_so_in_one_line_and_goes_on(tmp_path, undisturbed):
    for number, code, word in ((signal.SIGTERM, 4, "stopped"), (signal.SIGINT, 130, "interrupted")):
        returned, last = interrupt(tmp_path, number, 8)
        assert returned == code
        assert last.splitlines()[-1] == f"{word}; the same command resumes the run"
        assert "Traceback" not in last
        [folder] = (tmp_path / "runs").glob("kill-*")
        assert (folder / "scores.parquet").is_file()
        assert not list((tmp_path / "runs" / "store").glob("*.tmp-*"))
    end(tmp_path)
    assert results(tmp_path) == undisturbed
