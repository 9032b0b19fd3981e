"""A worker process that answers line by line: time-outs, deaths and failed starts are distinguished."""

import pytest

from harness.domains.sandbox import LineWorker
from harness.errors import StepFailed

WORKER = """
import json, os, sys
if os.environ.get("MUTE"):
    sys.exit()
print("ready", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if request == "hang":
        while True:
            pass
    if request == "die":
        os._exit(1)
    if request == "torn":
        print('{"half": ', end="", flush=True)
        os._exit(1)
    print(json.dumps([request, os.getpid()]), flush=True)
"""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    (tmp_path / "answering.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = LineWorker("answering", hint="install it")
    yield made
    made.close()


def test_one_process_answers_all_requests(worker):
    first, second = worker.ask({"a": 1}), worker.ask("ü\n", seconds=60)
    assert (first[0], second[0]) == ({"a": 1}, "ü\n")
    assert first[1] == second[1]


@pytest.mark.parametrize(("request_", "raised"), [("die", ConnectionError), ("torn", ConnectionError)])
def test_a_worker_that_dies_is_told_and_another_one_answers(worker, request_, raised):
    before = worker.ask("?")[1]
    with pytest.raises(raised, match="answering died"):
        worker.ask(request_)
    assert worker.ask("?")[1] != before


def test_a_late_worker_is_killed_and_another_one_answers(worker):
    before = worker.ask("?")[1]
    with pytest.raises(TimeoutError, match=r"more than 0\.2 s"):
        worker.ask("hang", seconds=0.2)
    assert worker.ask("?")[1] != before


def test_a_worker_that_does_not_start_says_what_to_do(worker, monkeypatch):
    monkeypatch.setenv("MUTE", "1")
    with pytest.raises(StepFailed, match="does not start") as raised:
        worker.ask("?")
    assert raised.value.hint == "install it"
