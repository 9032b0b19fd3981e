"""A worker process computes the requested nodes, and ends when there are no more requests."""

import io
import json
import os
import subprocess
import sys

import pytest

from harness import StepFailed
from harness.execution import worker


class Sent:
    """Records messages in place of a sender."""

    def __init__(self):
        self.messages = []

    def send(self, event, **data):
        self.messages.append({"event": event, **data})

    def progress(self, done, total, metrics):
        self.send("progress", done=done, total=total)


def asked(*keys):
    return io.StringIO("".join(json.dumps({"key": key}) + "\n" for key in keys))


def served(execute, *keys, debug=False):
    sent = Sent()
    worker.serve(execute, sent, asked(*keys), debug=debug)
    return sent.messages


@pytest.fixture(autouse=True)
def no_signals(monkeypatch):
    """The input of these tests has ended before the first node starts, which would terminate the process."""
    monkeypatch.setattr(worker.os, "kill", lambda *_: None)
    monkeypatch.setattr(worker.os, "_exit", lambda *_: None)


def test_nodes_are_computed_in_the_order_of_the_requests():
    computed = []
    messages = served(lambda key, progress: computed.append(key), "a", "b")
    assert computed == ["a", "b"]
    assert [message["event"] for message in messages] == ["done", "done"]


def test_progress_and_errors_are_sent_and_the_worker_goes_on(capsys):
    def execute(key, progress):
        progress(1, 2, {})
        if key == "bad":
            raise StepFailed("no luck", where="math", hint="try")

    messages = served(execute, "bad", "good")
    assert [message["event"] for message in messages] == ["progress", "failed", "progress", "done"]
    assert messages[1] == {
        "event": "failed", "kind": "StepFailed", "message": "no luck", "where": "math", "hint": "try",
    }  # fmt: skip
    assert "Traceback" not in capsys.readouterr().err


def test_with_debug_the_traceback_goes_to_standard_error(capsys):
    served(lambda key, progress: 1 / 0, "a", debug=True)
    assert "ZeroDivisionError" in capsys.readouterr().err


PRINTING = """
import os, sys
from harness.execution.worker import Sender
sender = Sender()
print("a library prints")
os.write(1, b"native code prints\\n")
sender.note("for the engine")
"""


def test_what_libraries_print_does_not_mix_with_messages():
    done = subprocess.run([sys.executable, "-c", PRINTING], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"event": "note", "text": "for the engine"}
    assert set(done.stderr.splitlines()) == {"a library prints", "native code prints"}


WAITING = """
import signal, sys, threading
from harness._util.signals import catch_termination
from harness.execution.worker import Sender, serve
catch_termination()
def execute(key, progress):
    progress(0, 1, {})
    threading.Event().wait()
serve(execute, Sender(), sys.stdin, debug=False)
"""


def test_a_worker_in_the_middle_of_a_node_ends_when_its_engine_is_gone():
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    process.stdin.write(json.dumps({"key": "k"}) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["event"] == "progress"
    process.stdin.close()
    assert process.wait(60) != 0
