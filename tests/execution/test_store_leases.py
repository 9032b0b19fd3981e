"""Processes that share a store by leases: one that dies or stands still loses its key, and tears nothing."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading

import pytest

from harness._util.locks import LockLost
from harness.errors import UsageError, WorkerLost
from harness.execution.restoring import RestoredModels
from harness.execution.run_folder import RunFolder
from harness.execution.store import Store
from harness.execution.worker import error_of, message_of

WRITER = """
import sys
from pathlib import Path
from harness._util import lease_files
from harness._util.locks import LockLost
from harness.execution.store import Store
if sys.argv[2] != "here":
    lease_files.machine = lambda: sys.argv[2]
store = Store(Path(sys.argv[1]))
try:
    with store.writing("a1") as folder:
        scratch = store.scratch("a1")
        (scratch / "state").write_text("step 1")
        (folder / "half").write_text("half")
        print("holds", flush=True)
        for line in sys.stdin:
            Path(line.format(folder=folder, scratch=scratch).strip()).write_text("late")
except LockLost as error:
    print("lost:", error.message, flush=True)
"""


@pytest.fixture(autouse=True)
def leases(monkeypatch):
    monkeypatch.setenv("HARNESS_LOCKS", "lease")
    monkeypatch.setenv("HARNESS_LEASE_SECONDS", "1")


@pytest.fixture
def writer(tmp_path):
    """Returns a function that starts a writer on a machine and waits until it holds the key."""
    started = []

    def start(machine):
        command = [sys.executable, "-c", WRITER, str(tmp_path), machine]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "holds\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def take_over(root):
    """Computes the key in this process, once it may; returns the number of times that it had to wait."""
    waits = []
    store = Store(root, waiting=waits.append)
    with store.writing("a1") as folder:
        assert (store.scratch("a1") / "state").read_text() == "step 1"  # it goes on where the other one was
        (folder / "whole").write_text("whole")
    assert store.verify("a1") == []
    assert sorted(path.name for path in store.path("a1").iterdir()) == ["DONE.json", "whole"]
    assert not list(root.glob("*.tmp-*"))
    return len(waits)


@pytest.mark.parametrize(("machine", "waits"), [("here", 0), ("another", 1)])
def test_the_key_of_a_killed_process_is_taken_over(tmp_path, writer, machine, waits):
    process = writer(machine)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert take_over(tmp_path) == waits  # that a process of this machine is dead, is known at once


@pytest.mark.parametrize("machine", ["here", "another"])
@pytest.mark.parametrize("late", ["", "{folder}/late", "{scratch}/late", "{scratch}/state"])
def test_a_process_that_stood_still_finds_out_and_writes_nothing(tmp_path, writer, machine, late):
    process = writer(machine)
    process.send_signal(signal.SIGSTOP)
    assert take_over(tmp_path) == 1
    process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(f"{late}\n" if late else "")
    assert said.startswith("lost: this process lost its lease on this result to ")
    store = Store(tmp_path)
    assert store.verify("a1") == []
    assert not (store.path("a1") / "half").exists()
    assert not list((tmp_path / ".scratch").iterdir())


def test_a_process_that_woke_up_does_not_reach_the_state_of_the_one_that_goes_on(tmp_path, writer):
    process = writer("another")
    process.send_signal(signal.SIGSTOP)
    store = Store(tmp_path)
    with store.writing("a1") as folder:
        scratch = store.scratch("a1")
        process.send_signal(signal.SIGCONT)
        assert process.communicate("{scratch}/state\n")[0].startswith("lost")
        assert (scratch / "state").read_text() == "step 1"
        assert folder.exists()
        (folder / "whole").write_text("whole")
    assert store.verify("a1") == []


def test_a_process_that_lives_is_waited_for(tmp_path, writer):
    process = writer("another")
    waits = []

    def waiting(key):
        waits.append(key)
        threading.Timer(2.5, process.stdin.close).start()  # longer than a lease lasts without being renewed

    with Store(tmp_path, waiting=waiting).lock("a1"):
        assert (tmp_path / "a1" / "half").read_text() == "half"
    assert waits == ["a1"]
    assert process.stdout.read() == ""


def test_a_process_that_stands_still_behind_its_last_check_leaves_the_result_of_the_other(tmp_path, monkeypatch):
    late, store = Store(tmp_path), Store(tmp_path)

    def stand_still(lock):
        late.locks.exclusive("a1")._lease.held.remove()
        monkeypatch.undo()
        monkeypatch.setenv("HARNESS_LOCKS", "lease")
        with store.writing("a1") as folder:
            (folder / "file").write_text("first")

    with late.writing("a1") as folder:
        (folder / "file").write_text("late")
        monkeypatch.setattr(type(late.locks.exclusive("a1")), "check", stand_still)
    assert store.verify("a1") == []
    assert (tmp_path / "a1" / "file").read_text() == "first"


def test_restored_models_are_kept_while_a_process_of_another_machine_reads_them(tmp_path):
    reader, other = RestoredModels(Store(tmp_path)), RestoredModels(Store(tmp_path))
    place = reader.beside("a1")
    place.mkdir()
    reader.put("a1", place)
    other.drop()
    assert (tmp_path / ".restored" / "a1").is_dir()
    reader.release()
    other.drop()
    assert not (tmp_path / ".restored" / "a1").exists()


def test_what_goes_on_is_seen_without_writing(tmp_path):
    store, seen = Store(tmp_path), Store(tmp_path)
    assert not seen.is_in_use("run") and not (tmp_path / ".locks").exists()
    with store.in_use("run"), store.writing("a1") as folder:
        scratch = store.scratch("a1")
        assert Store(tmp_path).is_in_use("run")
        assert not Store(tmp_path).is_in_use("other")
        assert Store(tmp_path).unfinished("a1") == scratch
        (folder / "file").touch()
    assert not Store(tmp_path).is_in_use("run")


def test_each_machine_appends_to_logs_of_its_own(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    names = []
    for number, machine in enumerate(["first", "second", "first"]):
        monkeypatch.setattr("harness.execution.run_folder.machine", lambda machine=machine: machine)
        folder.append("told", number=number)
        names.append(folder.console_log.name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events-first.jsonl", "events-second.jsonl"]
    assert names == ["console-first.log", "console-second.log", "console-first.log"]
    assert [event["number"] for event in folder.events()] == [0, 1, 2]
    monkeypatch.setenv("HARNESS_LOCKS", "flock")
    folder.append("told", number=3)
    assert [event["number"] for event in folder.events()] == [0, 1, 2, 3]


def test_events_of_one_machine_keep_their_order_if_its_clock_is_set_back(tmp_path):
    for machine, events in {"first": [("12:00", 0), ("11:00", 1)], "second": [("11:30", 2), ("12:30", 3)]}.items():
        lines = [json.dumps({"time": time, "number": number}) for time, number in events]
        (tmp_path / f"events-{machine}.jsonl").write_text("\n".join(lines))
    numbers = [event["number"] for event in RunFolder(tmp_path).events()]
    assert [number for number in numbers if number < 2] == [0, 1]
    assert [number for number in numbers if number >= 2] == [2, 3]


@pytest.mark.parametrize("seconds", ["0.5", "minute", "nan", "100000"])
def test_a_bad_time_is_told(tmp_path, monkeypatch, seconds):
    monkeypatch.setenv("HARNESS_LEASE_SECONDS", seconds)
    with pytest.raises(UsageError, match="no number of seconds") as raised, Store(tmp_path).lock("a1"):
        pass
    assert raised.value.where == "HARNESS_LEASE_SECONDS"


def test_a_lost_lock_reaches_the_runner_as_a_node_to_start_once_more(tmp_path):
    lost = LockLost.to("process 7 of there", where=tmp_path)
    for error in (pickle.loads(pickle.dumps(lost)), error_of(message_of(lost))):
        assert isinstance(error, WorkerLost)
        assert str(error) == str(lost)


def test_a_lost_lock_is_the_cause_of_whatever_failed(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(LockLost), store.lock("a1"):
        (tmp_path / ".locks" / "a1.lease" / "2").write_text("")
        raise OSError(2, os.strerror(2))
    (tmp_path / ".locks" / "a1.lease" / "2").unlink()
    with pytest.raises(ValueError, match="its own"), store.lock("a1"):
        raise ValueError("its own")
