"""A run with worker processes gives the same bytes as one without, and leaves no process behind."""

import itertools
import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from command import ENVIRONMENT, outputs_of
from stored_bytes import digests

METHODS = ("--methods", "sequential,rollback")


def start(runs, jobs):
    command = [sys.executable, "-m", "harness", "run", "smoke", *METHODS, "--jobs", str(jobs), "-o", str(runs)]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, process_group=0
    )


def finished(runs, jobs):
    process = start(runs, jobs)
    _, said = outputs_of(process)
    assert process.returncode == 0, said
    return said


def workers_of(pid):
    """Returns the worker processes that a runner has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid and b"exec-worker" in command:
            found.append(int(entry.name))
    return found


def has_ended(pid):
    """Waits until a process that is not our child has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], 60)[0], f"process {pid} still runs"
    os.close(descriptor)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    runs = tmp_path_factory.mktemp("one")
    finished(runs, 1)
    return digests(runs)


def test_two_jobs_give_the_same_bytes_and_run_side_by_side(undisturbed, tmp_path):
    finished(tmp_path, 2)
    assert digests(tmp_path) == undisturbed
    [log] = tmp_path.glob("smoke-*/events.jsonl")
    counts = {"step_started": 1, "step_finished": -1}
    changes = [counts.get(json.loads(line)["event"], 0) for line in log.read_text().splitlines()]
    assert max(itertools.accumulate(changes)) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_leaves_no_worker_and_can_be_resumed(undisturbed, tmp_path, number):
    process = start(tmp_path, 2)
    for line in process.stderr:
        if "train" in line:
            break
    workers = workers_of(process.pid)
    assert workers
    process.send_signal(number)
    threading.Thread(target=process.stderr.read, daemon=True).start()
    assert process.wait(60) == {signal.SIGINT: 130, signal.SIGKILL: -9}[number]
    for worker in workers:
        has_ended(worker)
    finished(tmp_path, 2)
    assert digests(tmp_path) == undisturbed


def test_a_killed_worker_costs_one_more_try(undisturbed, tmp_path):
    process = start(tmp_path, 2)
    said = []
    for line in process.stderr:
        said.append(line)
        if "train" in line and not any("once more" in other for other in said) and len(workers_of(process.pid)) == 2:
            os.kill(workers_of(process.pid)[0], signal.SIGKILL)
            break
    said += process.stderr.readlines()
    assert process.wait(60) == 0, said
    assert any("was killed, probably out of memory; it is started once more" in line for line in said)
    assert digests(tmp_path) == undisturbed
