"""A run on a real Slurm of one machine, where it can be started: the bytes of a local run, and a stop."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import ENVIRONMENT
from slurm_daemons import missing, slurm_of_this_machine
from stored_bytes import digests

pytest.importorskip("submitit")
pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "it can be started")

METHODS = ("--methods", "sequential,rollback")
ENGINE = "engine: {use: slurm, partition: main, minutes: 30, poll_seconds: 0.5}\n"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with slurm_of_this_machine(tmp_path_factory.mktemp("slurm")) as environment:
        yield ENVIRONMENT | environment


@pytest.fixture
def protocol(tmp_path):
    import harness_lab

    [packaged] = Path(harness_lab.__file__).parent.rglob("smoke.yaml")
    file = tmp_path / "smoke.yaml"
    file.write_text(f"{packaged.read_text()}\n{ENGINE}")
    return file


def start(environment, protocol, runs, *options):
    command = [sys.executable, "-m", "harness", "run", str(protocol), *METHODS, *options, "-o", str(runs)]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment, process_group=0
    )


def queue(environment):
    command = ["squeue", "--noheader", "--array", "-o", "%i %T"]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def test_a_stop_cancels_the_jobs_and_the_resumed_run_stores_what_a_local_one_does(slurm, protocol, tmp_path):
    stopped = start(slurm, protocol, tmp_path / "slurm")
    for line in stopped.stderr:
        if "done after" in line:
            stopped.terminate()
            break
    said = stopped.communicate()[1]
    assert stopped.returncode == 4, said
    waiting = [line for line in queue(slurm).splitlines() if not line.endswith("COMPLETING")]
    assert waiting == [], "no job is left in the queue"
    resumed = start(slurm, protocol, tmp_path / "slurm")
    said = resumed.communicate()[1]
    assert resumed.returncode == 0, said
    local = start(slurm, protocol, tmp_path / "local", "--engine", "local", "--jobs", "1")
    said = local.communicate()[1]
    assert local.returncode == 0, said
    assert digests(tmp_path / "slurm") == digests(tmp_path / "local")
    [log] = (tmp_path / "slurm").glob("smoke-*/events.jsonl")
    places = {event.get("worker", "") for event in map(json.loads, log.read_text().splitlines())}
    assert any(place.startswith("job ") for place in places)


def test_a_partition_that_slurm_has_not_is_refused(slurm, protocol, tmp_path):
    protocol.write_text(protocol.read_text().replace("partition: main", "partition: mian"))
    run = start(slurm, protocol, tmp_path / "runs")
    said = run.communicate()[1]
    assert run.returncode == 2, said
    assert "Slurm has no partition 'mian'" in said
    assert "did you mean main?" in said
