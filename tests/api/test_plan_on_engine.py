"""How long a plan takes on what an engine has, with the protocol's resources, before anything runs."""

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import harness
from harness import Capacity, Engine, EngineSpec, MachineResources, Registry, UsageError, hookimpl
from harness.cli import app
from harness.execution.engines.threads import Machine

PROTOCOL = """\
schema: 1
name: eight
model: {use: lab-tiny}
engine: ENGINE
resources: RESOURCES
domains: {math: {use: lab-math, prompts: 16}}
train: {steps: 2, prompts_per_step: 4, generations: 4, learning_rate: 6.0e-4}
evaluate: {limit: 4, batch_size: 4}
methods: {sequential: [math]}
seeds: [0, 1, 2, 3, 4, 5, 6, 7]
"""
TWO_GPUS = "{train: {gpus: 2}, evaluate: {gpus: 2}}"


@pytest.fixture
def protocol(tmp_path):
    """Writes the protocol with an engine and resources, and returns its file."""

    def written(engine="null", resources="{}", more=""):
        file = tmp_path / "eight.yaml"
        file.write_text(PROTOCOL.replace("ENGINE", engine).replace("RESOURCES", resources) + more)
        return file

    return written


@pytest.fixture
def eight_gpus(monkeypatch):
    here = Machine(gpus=tuple("01234567"), cores=64, memory_bytes=None)
    monkeypatch.setattr(Machine, "here", classmethod(lambda cls: here))
    monkeypatch.setenv("HARNESS_JOBS", "8")  # auto: 1 for so short a run
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def printed(*arguments, code=0):
    result = CliRunner().invoke(app, ["plan", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_resources_limit_what_runs_side_by_side(protocol, eight_gpus, tmp_path):
    def schedule(resources, *arguments):
        found = json.loads(printed(protocol(resources=resources), "--engine", "local", "--json", *arguments))
        assert found["estimate"]["assumptions"]["processor"] == "gpu", "that of the engine's machines"
        return found["schedule"]

    one, two = schedule("{}"), schedule(TWO_GPUS)
    assert (one["at_once"], two["at_once"]) == (8, 4)
    assert one["makespan"] == pytest.approx(one["critical_length"]), "eight chains on eight GPUs"
    assert 1.9 * one["makespan"] < two["makespan"] <= 2 * one["makespan"], "eight chains, four at a time"
    assert one["engine"] == {"name": "local", "machines": [{"name": "", "cpus": 64, "gpus": 8}], "slots": 8}
    assert set(one["method_hours"]) == {"sequential"}
    assert schedule(TWO_GPUS, "--slots", "2")["at_once"] == 2
    text = printed(protocol(resources=TWO_GPUS), "--engine", "local", "-o", tmp_path)
    assert "engine local, 1 machine, 64 cores, 8 GPUs, up to 4 results at a time: about" in text
    assert "hours per method, including shared steps: sequential" in text


def test_the_processes_of_a_training_share_its_hours(protocol, eight_gpus):
    def longest(more):
        estimate = harness.plan(protocol(more=more)).estimate(engine="local")
        return estimate.schedule.critical_length, estimate.nodes

    launch = "launch: {accelerate: {distributed_type: FSDP, num_processes: 4}}\n"
    alone, nodes = longest("")
    shared, _ = longest(launch)
    hours = sorted({node.gpu_hours for node in nodes.values()})
    assert len(hours) == 2  # scores and trainings
    assert alone - shared == pytest.approx(hours[1] * 3 / 4)


def test_on_the_cpu_a_step_has_only_its_share_of_the_cores(protocol, monkeypatch):
    here = Machine(gpus=(), cores=8, memory_bytes=None)
    monkeypatch.setattr(Machine, "here", classmethod(lambda cls: here))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    estimate = harness.plan(protocol(), seeds=[0]).estimate(engine="local", slots=1)
    assert estimate.schedule.makespan == pytest.approx(8 * estimate.total.gpu_hours)
    stated = harness.plan(protocol(resources="{train: {cpus: 8}, evaluate: {cpus: 8}}"), seeds=[0])
    estimate = stated.estimate(engine="local", slots=1)
    assert estimate.schedule.makespan == pytest.approx(estimate.total.gpu_hours)


def test_what_is_done_takes_no_time(protocol, eight_gpus, tmp_path):
    planned = harness.plan(protocol(), output=tmp_path)
    for key in planned.nodes["key"]:
        with planned.store.writing(key) as folder:
            (folder / "rows.json").write_text("[]")
    schedule = harness.plan(protocol(), output=tmp_path).estimate(engine="local").schedule
    assert (schedule.makespan, schedule.at_once, schedule.critical_path) == (0, 0, ())


def test_more_than_the_engine_has_is_an_error(protocol, eight_gpus):
    with pytest.raises(UsageError, match="a step of kind train needs 9 GPUs, this machine has 8"):
        harness.plan(protocol(resources="{train: {gpus: 9}}")).estimate(engine="local")


class Cluster(Engine):
    """Has two machines, if the test says so."""

    known, closed = True, False

    def __init__(self, config):
        self.config = config

    def execute(self, request):
        raise AssertionError("a plan executes nothing")

    def capacity(self, requests):
        assert {request.kind for request in requests} == {"train", "evaluate"}
        assert requests[0].parameters and requests[0].expected_seconds is not None
        machines = [MachineResources(name=name, cpus=4, gpus=2) for name in ("a", "b")]
        return Capacity(place="the cluster", machines=machines) if self.known else None

    def close(self, *, stop):
        type(self).closed = True


@pytest.fixture
def cluster(monkeypatch):
    """The installed plugins, with an engine `cluster`."""

    @hookimpl
    def harness_engines():
        yield EngineSpec(name="cluster", summary="-", load=Cluster)

    discover = Registry.discover

    def discovered(**chosen):
        found, more = discover(**chosen), Registry.of([("more", SimpleNamespace(harness_engines=harness_engines))])
        find = found.find
        monkeypatch.setattr(
            found, "find", lambda kind, name: more.find(kind, name) if name == "cluster" else find(kind, name)
        )
        return found

    monkeypatch.setattr(Registry, "discover", discovered)
    monkeypatch.setattr(Cluster, "known", True)
    monkeypatch.setattr(Cluster, "closed", False)


def test_an_engine_without_slots_runs_what_its_machines_have_room_for(protocol, cluster):
    found = json.loads(printed(protocol(), "--engine", "cluster", "--json"))["schedule"]
    assert (found["slots"], found["at_once"]) == (None, 4)
    assert [machine["name"] for machine in found["engine"]["machines"]] == ["a", "b"]
    assert Cluster.closed


def test_an_engine_that_cannot_tell_what_it_has_leaves_it_to_slots(protocol, cluster, monkeypatch):
    monkeypatch.setattr(Cluster, "known", False)
    with pytest.raises(UsageError, match="it cannot tell what machines it has") as raised:
        harness.plan(protocol()).estimate(engine="cluster")
    assert "--slots N" in raised.value.hint
    assert Cluster.closed


def test_the_protocols_engine_is_asked_and_its_failure_leaves_the_plan(protocol, eight_gpus):
    assert "engine local, 1 machine, 64 cores, 8 GPUs" in printed(protocol("local"))
    asked = protocol("{use: slurm, cluster: local}")
    told = printed(asked)
    assert "generated tokens: at most" in told
    assert "duration unknown: engine slurm: " in told
    assert "→ " in told and "--slots N estimates the duration without the engine" in told
    assert "--slots N" in json.loads(printed(asked, "--json"))["not_scheduled"]
    assert "3 results at a time: about" in printed(asked, "--slots", "3"), "without asking the engine"
    assert "results at a time" not in printed(protocol())
