"""A Ray cluster of two raylets: one is killed in the middle of a run; a training spreads over both."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import ENVIRONMENT
from stored_bytes import digests

ray = pytest.importorskip("ray")

QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
SMALL = {"num_cpus": 1, "object_store_memory": 80 * 1024**2}
METHODS = ("--methods", "sequential,rollback")
TWO_MACHINES = """\
schema: 1
name: two-machines
model: {use: lab-tiny}
engine: ray
launch: {accelerate: {distributed_type: MULTI_GPU, num_processes: 2, num_machines: MACHINES}}
domains: {math: {use: lab-math, prompts: 16}}
train: {steps: 2, prompts_per_step: 4, generations: 4, learning_rate: 6.0e-4}
evaluate: {limit: 4, batch_size: 4}
methods: {sequential: [math]}
"""


@pytest.fixture
def cluster(monkeypatch):
    from ray.cluster_utils import Cluster

    for name, value in {**QUIET, **ENVIRONMENT}.items():
        monkeypatch.setenv(name, value)
    started = Cluster(initialize_head=True, head_node_args=SMALL | {"include_dashboard": False})
    yield started
    started.shutdown()


def start(protocol, runs, *options, address=None):
    command = [sys.executable, "-m", "harness", "run", str(protocol), *options, "-o", str(runs)]
    place = {} if address is None else {"RAY_ADDRESS": address}
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, **place},
        process_group=0,
    )


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def running_on(raylet, runs):
    """Returns the labels of the steps that run in processes of the raylet."""
    found = {}
    for log in runs.glob("*/events.jsonl"):
        for event in map(json.loads, log.read_text().splitlines()):
            if event["event"] == "step_started" and parent_of(event["worker"].rpartition("-")[2]) == raylet:
                found[event["key"]] = event["label"]
            elif event["event"] == "step_finished":
                found.pop(event["key"], None)
    return list(found.values())


def test_a_run_outlives_a_lost_machine_and_stores_what_a_local_run_does(cluster, tmp_path):
    local = start("smoke", tmp_path / "local", *METHODS, "--jobs", "1")
    assert local.communicate()[1] and local.returncode == 0
    other = cluster.add_node(**SMALL)
    raylet = next(
        entry.process.pid for kind, entries in other.all_processes.items() if kind == "raylet" for entry in entries
    )
    run = start("smoke", tmp_path / "ray", *METHODS, "--engine", "ray", address=cluster.address)
    lost, said = [], []
    for line in run.stderr:
        said.append(line)
        if not lost and (lost := running_on(raylet, tmp_path / "ray")):
            cluster.remove_node(other, allow_graceful=False)
    assert run.wait() == 0, "".join(said)
    assert any("is gone; it is started once more" in line for line in said), "".join(said)
    assert digests(tmp_path / "ray") == digests(tmp_path / "local")


def test_a_training_spreads_over_two_machines(cluster, tmp_path):
    cluster.add_node(**SMALL)
    protocol = tmp_path / "two.yaml"
    protocol.write_text(TWO_MACHINES.replace("MACHINES", "2"))
    run = start(protocol, tmp_path / "runs", address=cluster.address)
    said = run.communicate()[1]
    assert run.returncode == 0, said
    [metrics] = (tmp_path / "runs").glob("store/*/metrics.jsonl")
    assert [json.loads(line)["step"] for line in metrics.read_text().splitlines()] == [1, 2]
    result = json.loads((metrics.parent / "result.json").read_text())
    assert result["cost"]["completions"] == 2 * 4 * 4


def test_what_the_cluster_has_not_is_refused_before_the_first_step(cluster, tmp_path):
    protocol = tmp_path / "two.yaml"

    def refused(text):
        protocol.write_text(text)
        run = start(protocol, tmp_path / "runs", address=cluster.address)
        said = run.communicate()[1]
        assert run.returncode == 2, said
        return said

    three = TWO_MACHINES.replace("MACHINES", "2")
    assert "a step of kind train needs 2 machines with 1 core each, of which there is 1" in refused(three)
    alone = TWO_MACHINES.replace("launch", "resources: {evaluate: {gpus: 3}}\nlaunch").replace("MACHINES", "1")
    assert "needs 3 GPUs, the Ray cluster has 0" in refused(alone.replace("num_processes: 2", "num_processes: 1"))
    assert not list((tmp_path / "runs").glob("*/events.jsonl"))
