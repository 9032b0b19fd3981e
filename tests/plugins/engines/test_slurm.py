"""The engine `slurm`: jobs by submitit's local executor, and what it hands to Slurm's programs."""

import os
import signal
import threading
from pathlib import Path

import pytest
from worker_script import Asked

from harness import StepFailed, UsageError, WorkerLost

pytest.importorskip("submitit")

from harness_engines.slurm.cluster import capacity_of, queued
from harness_engines.slurm.config import SlurmConfig
from harness_engines.slurm.engine import Slurm


@pytest.fixture
def local():
    """An engine whose jobs are processes of this machine."""
    engine = Slurm(SlurmConfig(cluster="local", poll_seconds=0.05, warn_seconds=1))
    yield engine
    engine.close(stop=True)


def test_a_job_computes_a_node_and_reports(local, tmp_path):
    asked = Asked("good", tmp_path, cpus=3)
    local.submit(asked.request).result(60)
    assert (tmp_path / "good").is_file()
    assert asked.started[0].startswith("job ")
    assert asked.progressed.is_set()
    assert asked.notes == [os.environ.get("OMP_NUM_THREADS", "3")]


def test_the_error_of_a_node_is_the_futures(local, tmp_path):
    with pytest.raises(StepFailed, match="the data is torn") as raised:
        local.submit(Asked("fail", tmp_path).request).result(60)
    assert (raised.value.where, raised.value.hint) == ("train", "look at it")


def test_a_job_that_ends_without_a_result_is_a_lost_worker(local, tmp_path):
    with pytest.raises(WorkerLost, match="ended without a result") as raised:
        local.submit(Asked("die", tmp_path).request).result(60)
    [log] = (tmp_path / "run" / "slurm").glob("train-die*.log")
    assert str(log) in raised.value.hint
    assert "WorkerLost" in log.read_text(), "the log is linked under the node's name"


def test_a_second_job_of_a_node_does_not_read_what_the_first_said(local, tmp_path):
    with pytest.raises(WorkerLost):
        local.submit(Asked("die-once", tmp_path).request).result(60)
    asked = Asked("die-once", tmp_path)
    local.submit(asked.request).result(60)
    assert len(asked.notes) == 1


def test_a_preempted_job_stops_its_process_and_is_queued_again(local, tmp_path):
    asked = Asked("hang", tmp_path)
    future = local.submit(asked.request)
    assert asked.progressed.wait(60)
    [entry] = local._running
    controller = int(entry.job.job_id)
    [job] = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
    os.kill(int(job), signal.SIGUSR2)  # as Slurm does before it ends a job
    future.result(60)
    assert (tmp_path / "hang").is_file()
    assert len(asked.started) == 1, "the node did not start anew for the runner"


def test_a_stop_cancels_the_jobs(tmp_path):
    engine = Slurm(SlurmConfig(cluster="local", poll_seconds=0.05))
    asked = Asked("hang", tmp_path)
    future = engine.submit(asked.request)
    assert asked.progressed.wait(60)
    [entry] = engine._running
    engine.close(stop=True)
    with pytest.raises(WorkerLost, match="the run was stopped"):
        future.result(0)
    assert entry.job._process.wait(60) != 0


class FakeSlurm:
    """Programs called sbatch, squeue, … that write down what they are asked, and answer as told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("sbatch", "srun", "squeue", "scancel", "sinfo"):
            self.answer(name, "")

    def answer(self, name: str, text: str, code: int = 0) -> None:
        program = self.folder / name
        (self.folder / f"{name}.txt").write_text(text)
        program.write_text(
            f'#!/bin/sh\necho "$0 $@" >> {self.folder}/calls\n'
            f'case "$1" in *.sh) cat "$1" >> {self.folder}/scripts;; esac\n'
            f"cat {self.folder}/{name}.txt\nexit {code}\n"
        )
        program.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return [line.rpartition("/")[2] for line in (self.folder / "calls").read_text().splitlines()]


@pytest.fixture
def slurm(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("programs")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    fake = FakeSlurm(folder)
    fake.answer("sinfo", "m0 main 8 (null)\ng0 gpu 64 gpu:a100:4(S:0-1),lustre:1\ng1 gpu 32 gpu:2\n")
    fake.answer("sbatch", "Submitted batch job 7\n")
    return fake


def test_nodes_that_become_ready_together_are_one_job_array(slurm, tmp_path, monkeypatch):
    engine = Slurm(SlurmConfig(partition="gpu", account="us", gres="gpu:a100", options={"nice": 5}, at_once=2))
    asked = [Asked(f"good{number}", tmp_path, gpus=2, cpus=4) for number in range(3)]
    looked = threading.Event()
    monkeypatch.setattr("harness_engines.slurm.engine.queued", lambda jobs: looked.set() or set(jobs))
    engine.check([one.request for one in asked])
    assert engine.slots is None
    futures = [engine.submit(one.request) for one in asked]
    assert looked.wait(60), "the queue is looked at behind a submission"
    engine.close(stop=True)
    script = (slurm.folder / "scripts").read_text()
    for line in (
        *("--array=0-2%2", "--partition=gpu", "--account=us", "--gres=gpu:a100:2", "--cpus-per-task=4"),
        *("--nodes=1", "--nice=5", "--requeue", "--signal=USR2@90", "--time=720"),
    ):
        assert f"#SBATCH {line}\n" in script
    assert slurm.calls[-1] == "scancel --quiet 7_0 7_1 7_2"
    assert all(isinstance(future.exception(0), WorkerLost) for future in futures)


def test_a_job_that_slurm_refuses_is_told_as_that(slurm, tmp_path):
    slurm.answer("sbatch", "sbatch: error: Invalid account specified\n", code=1)
    engine = Slurm(SlurmConfig())
    error = engine.submit(Asked("good", tmp_path).request).exception(60)
    engine.close(stop=False)
    assert isinstance(error, UsageError)
    assert "Slurm does not take the job" in error.message


def test_what_slurm_has_not_is_refused_before_the_start(slurm, tmp_path, monkeypatch):
    def refused(**config):
        with pytest.raises(UsageError) as raised:
            Slurm(SlurmConfig(**config)).check([Asked("good", tmp_path, gpus=9).request])
        return str(raised.value)

    assert "Slurm has no partition 'gpus'" in refused(partition="gpus")
    assert "did you mean gpu?" in refused(partition="gpus")
    assert "`sinfo` lists: gpu, main" in refused(partition="night")
    assert "train needs 9 GPUs, no machine of the partition gpu has more than 4" in refused(partition="gpu")
    assert "the partition main has 0" in refused(partition="main")
    assert "no machine of Slurm has more than 4" in refused()
    slurm.answer("sinfo", "", code=1)
    assert "does Slurm's controller run?" in refused()
    (slurm.folder / "sbatch").unlink()
    monkeypatch.setenv("PATH", str(slurm.folder))
    assert "the engine slurm needs sbatch, not found on the PATH" in refused()


def test_a_queue_that_does_not_answer_loses_no_job(slurm):
    slurm.answer("squeue", "7_0\n8\n9\n")
    assert queued(["7_0", "7_1", "8"]) == {"7_0", "8"}
    slurm.answer("squeue", "", code=1)
    assert queued(["7_0"]) is None


def test_the_capacity_is_that_of_the_partitions_machines(slurm, tmp_path):
    def machines(name):
        return [(machine.name, machine.cpus, machine.gpus) for machine in capacity_of(name).machines]

    cpu, large, small = ("m0", 8, 0), ("g0", 64, 4), ("g1", 32, 2)
    assert machines("main") == [cpu]
    assert machines("gpu") == [large, small]
    assert machines("main,gpu") == machines(None) == [cpu, large, small]
    slurm.answer("sinfo", "x mixed 9 gpu:a100:2,gpu:h100:8(IDX:0-7)\nx all 9 gpu:a100:2,gpu:h100:8\ny bare 4 gpu\n")
    assert machines("mixed") == [("x", 9, 10)]
    assert machines("bare") == [("y", 4, 1)]
    assert len(machines(None)) == 2, "a machine of two partitions counts once"
    engine = Slurm(SlurmConfig(partition="bare"))
    assert engine.capacity([]) == capacity_of("bare")
    assert engine.capacity([]).slots is None
    assert Slurm(SlurmConfig(cluster="local")).capacity([]) is None, "processes of this machine, without a limit"
