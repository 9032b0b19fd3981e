"""The engine `local` with several jobs: worker processes, their errors and their GPUs."""

import json
import os
import signal
import sys
import threading

import pytest

from harness import CheckpointError, MachineResources, NodeRequest, Resources, StepFailed, UsageError, WorkerLost
from harness._util.disk_errors import StoreFull
from harness.execution.engines.local import Local, LocalConfig
from harness.execution.engines.threads import MEDIUM_MODEL, SHORT_RUN_SECONDS, SMALL_MODEL, Machine, limited_threads
from harness.execution.worker import error_of, message_of

WORKER = """
import json, os, sys
for line in sys.stdin:
    key = json.loads(line)["key"]
    def send(**message):
        print(json.dumps(message), flush=True)
    gpus, threads = os.environ.get("CUDA_VISIBLE_DEVICES", "-"), os.environ["OMP_NUM_THREADS"]
    send(event="note", text=f"{os.getpid()} {gpus} {threads}")
    if key == "die":
        os.kill(os.getpid(), 9)
    if key == "leave":
        sys.exit(3)
    if key == "hang":
        send(event="note", text="hanging")
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    if key == "fail":
        send(event="failed", kind="CheckpointError", message="torn", where="model", hint="look")
        continue
    send(event="progress", done=1, total=2, metrics={"reward": 0.5})
    send(event="done")
"""


class Asked:
    """A request to the script above, and what was reported for it."""

    def __init__(self, key, tmp_path, **resources):
        self.notes, self.started, self.progressed = [], [], []
        self.hanging = threading.Event()
        self.request = NodeRequest(
            key=key, label=key, kind="train", needs=frozenset(), protocol=tmp_path, store=tmp_path,
            arguments=[], worker=[sys.executable, "-c", WORKER], execute=self.in_process,
            resources=Resources(**resources), parameters=1000, expected_seconds=10.0 * SHORT_RUN_SECONDS,
            started=self.started.append, note=self.note, progress=lambda *what: self.progressed.append(what),
        )  # fmt: skip

    def note(self, text):
        self.notes.append(text)
        if text == "hanging":
            self.hanging.set()

    def in_process(self):
        raise AssertionError("with several jobs, workers compute")

    @property
    def process(self):
        return self.notes[0].split()[0]

    @property
    def gpus(self):
        return self.notes[0].split()[1]


@pytest.fixture
def local():
    """Returns an engine for some requests, which is closed at the end of the test."""
    made = []

    def build(asked, jobs=2, machine=None, **config):
        engine = Local(LocalConfig(jobs=jobs, **config), machine or Machine(gpus=(), cores=4, memory_bytes=None))
        engine.check([one.request for one in asked])
        made.append(engine)
        return engine

    yield build
    for engine in made:
        engine.close(stop=True)


def test_workers_are_warm_and_report(local, tmp_path):
    asked = [Asked(f"k{number}", tmp_path) for number in range(6)]
    engine = local(asked)
    for one in asked:
        engine.submit(one.request).result()
    assert len({one.process for one in asked}) == 1  # one at a time: a second worker is not needed
    assert asked[0].started == ["worker 1"]
    assert asked[0].progressed == [(1, 2, {"reward": 0.5})]


def test_a_workers_error_arrives_as_it_was_and_the_worker_goes_on(local, tmp_path):
    fails, works = Asked("fail", tmp_path), Asked("k", tmp_path)
    engine = local([fails, works])
    error = engine.submit(fails.request).exception()
    assert isinstance(error, CheckpointError)
    assert (error.message, error.where, error.hint) == ("torn", "model", "look")
    engine.submit(works.request).result()
    assert fails.process == works.process


@pytest.mark.parametrize(
    ("key", "said"), [("die", "was killed, probably out of memory"), ("leave", "ended with code 3")]
)
def test_a_worker_that_dies_is_lost_and_replaced(local, tmp_path, key, said):
    dies, works = Asked(key, tmp_path), Asked("k", tmp_path)
    engine = local([dies, works])
    error = engine.submit(dies.request).exception()
    assert isinstance(error, WorkerLost)
    assert said in error.message
    engine.submit(works.request).result()
    assert dies.process != works.process


def test_stopping_ends_even_a_worker_that_ignores_it(local, tmp_path):
    asked = Asked("hang", tmp_path)
    engine = local([asked])
    future = engine.submit(asked.request)
    assert asked.hanging.wait(60)
    engine.close(stop=True)
    assert isinstance(future.exception(), WorkerLost)
    with pytest.raises(ProcessLookupError):
        os.kill(int(asked.process), 0)


def test_each_worker_sees_its_own_gpus(local, tmp_path):
    machine = Machine(gpus=("4", "5"), cores=4, memory_bytes=None)
    both = [Asked("k", tmp_path, gpus=1) for _ in range(2)]
    pair, none = Asked("k", tmp_path, gpus=2), Asked("k", tmp_path, gpus=0)
    engine = local([*both, pair, none], jobs=2, machine=machine)
    for asked in (*both, pair, none):
        engine.submit(asked.request).result()
    assert [asked.gpus for asked in (*both, pair)] == ["4", "4", "4,5"]
    assert none.notes[0].split(" ")[1] == ""


def test_more_gpus_than_there_are_is_an_error_before_the_start(local, tmp_path):
    with pytest.raises(UsageError, match="a step of kind train needs 3 GPUs, this machine has 2"):
        local([Asked("k", tmp_path, gpus=3)], machine=Machine(gpus=("0", "1"), cores=4, memory_bytes=None))
    with pytest.raises(UsageError, match="a step of kind train needs 5 cores, this machine has 4"):
        local([Asked("k", tmp_path, cpus=5)])
    with pytest.raises(UsageError, match="needs 2 machines with 1 core each, of which there is 1"):
        local([Asked("k", tmp_path, machines=2)])


def test_steps_wait_for_the_cores_that_they_state(local, tmp_path):
    hang, wide, narrow = Asked("hang", tmp_path, cpus=3), Asked("k", tmp_path, cpus=2), Asked("k", tmp_path, cpus=1)
    engine = local([hang, wide, narrow], jobs=3)
    futures = [engine.submit(hang.request)]
    assert hang.hanging.wait(60)
    futures += [engine.submit(wide.request), engine.submit(narrow.request)]
    futures[2].result()
    assert not futures[1].done() and not wide.started, "3 of 4 cores are taken"
    os.kill(int(hang.process), signal.SIGKILL)
    futures[1].result()


def test_the_capacity_is_this_machine_with_its_jobs_and_threads(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def capacity(machine, **config):
        return Local(LocalConfig(**config), machine).capacity([Asked("k", tmp_path).request] * 9)

    cpu = capacity(Machine(gpus=(), cores=4, memory_bytes=None))
    assert (cpu.machines, cpu.slots, cpu.cpus_per_process) == ([MachineResources(cpus=4)], 4, 1)
    gpus = Machine(gpus=("0", "1"), cores=16, memory_bytes=None)
    assert capacity(gpus).machines == [MachineResources(cpus=16, gpus=2)]
    assert (capacity(gpus).slots, capacity(gpus).cpus_per_process) == (2, 8)
    assert (capacity(gpus, jobs=3, threads=5).slots, capacity(gpus, jobs=3, threads=5).cpus_per_process) == (3, 5)


def jobs_of(machine, parameters, count=9, seconds=1000.0):
    request = NodeRequest(
        key="k", label="k", needs=frozenset(), protocol=None, store=None, arguments=[], execute=None,
        parameters=parameters, expected_seconds=seconds,
    )  # fmt: skip
    return machine.jobs([request] * count)


def test_auto_is_one_job_per_gpu_and_on_the_cpu_one_per_core_for_small_models():
    gpus = Machine(gpus=("0", "1", "2"), cores=48, memory_bytes=2**40)
    cpu = Machine(gpus=(), cores=8, memory_bytes=2**40)
    small, large = SMALL_MODEL // 10, 50 * SMALL_MODEL
    assert jobs_of(gpus, large) == 3
    assert gpus.threads(large) == 16
    assert (jobs_of(cpu, small), cpu.threads(small)) == (8, 1)
    assert (jobs_of(cpu, MEDIUM_MODEL - 1), cpu.threads(MEDIUM_MODEL - 1)) == (2, 4)
    assert (jobs_of(cpu, large), cpu.threads(large)) == (1, 8)
    assert jobs_of(cpu, small, count=3) == 3
    assert jobs_of(cpu, small, seconds=1.0) == 1  # a worker would not pay
    assert jobs_of(cpu, small, seconds=None) == 8
    assert jobs_of(Machine(gpus=(), cores=8, memory_bytes=5 * 1024**3), small) == 2
    assert jobs_of(Machine(gpus=(), cores=8, memory_bytes=10 * 1024**3), MEDIUM_MODEL - 1) == 1


def test_threads_do_not_depend_on_the_number_of_jobs(local, tmp_path):
    used = []
    for jobs in (2, 3, 4):
        asked = [Asked("k", tmp_path)]
        local(asked, jobs=jobs).submit(asked[0].request).result()
        used.append(asked[0].notes[0].split()[-1])
    assert len(set(used)) == 1


def test_threads_are_limited_for_the_block_only(monkeypatch):
    import torch

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    with limited_threads(3):
        assert torch.get_num_threads() == 3
        assert os.environ["OMP_NUM_THREADS"] == "3"
    assert torch.get_num_threads() == before
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(
    "error", [StepFailed("no", where="w", hint="h"), StoreFull("full", where="/store"), UsageError("bad")]
)
def test_an_error_survives_the_way_between_processes(error):
    back = error_of(json.loads(json.dumps(message_of(error))))
    assert type(back) is type(error)
    assert (back.message, back.where, back.hint) == (error.message, error.where, error.hint)


def test_an_unexpected_error_is_a_failed_step():
    assert "internal error: KeyError: 'x'" in str(error_of(message_of(KeyError("x"))))
