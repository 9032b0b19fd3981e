"""The protocol's `engine` and `resources`: what they become, what is refused, and that no key depends on them."""

from __future__ import annotations

import pytest
from small_world import PROTOCOL, SmallWorld, small_world

from harness import Config, Engine, EngineSpec, Resources, hookimpl
from harness.errors import ProtocolError
from harness.planning.planner import make_plan
from harness.plugin.registry import Registry
from harness.protocol import load_protocol
from harness.protocol.schema import protocol_schema


class PoolConfig(Config):
    address: str = "auto"


class Pool(Engine):
    def __init__(self, config: PoolConfig) -> None:
        self.config = config

    def execute(self, request) -> None:
        request.execute()


class Pools:
    @hookimpl
    def harness_engines(self):
        yield EngineSpec(name="pool", summary="Runs steps elsewhere", load=Pool, config=PoolConfig)


def world() -> Registry:
    return Registry.of([("harness-small", SmallWorld()), ("harness-pool", Pools())])


@pytest.fixture
def load(tmp_path):
    def loaded(*lines):
        path = tmp_path / "games.yaml"
        path.write_text("\n".join([PROTOCOL.rstrip(), *lines]) + "\n")
        return load_protocol(path, world())

    return loaded


def faults(load, *lines):
    with pytest.raises(ProtocolError) as raised:
        load(*lines)
    return {problem.key: f"{problem.message}: {problem.hint}" for problem in raised.value.problems}


def test_an_engine_is_a_name_or_a_name_with_its_config(load):
    assert load().engine is None
    assert load("engine: pool").engine.config == {"address": "auto"}
    named = load("engine: {use: pool, address: 'head:6379'}").engine
    assert (named.kind, named.name, named.config) == ("engine", "pool", {"address": "head:6379"})


def test_resources_go_by_plugin_first_and_by_kind_then(load):
    protocol = load("resources: {train: {gpus: 2, cpus: 8}, recover: {gpus: 3}, undo: {gpus: 0}, evaluate: {cpus: 3}}")
    stated = {
        node.label: protocol.resources_of(node)
        for node in make_plan(protocol, world()).results
        if node.kind in ("train", "recover")
    }
    assert stated["chess"] == Resources(gpus=2, cpus=8)
    assert stated["recover go (undo)"] == Resources(gpus=0)
    assert stated["recover go (repeat)"] == Resources(gpus=3)
    trains = load("resources: {train: {gpus: 2}}")
    recoveries = {n.label: trains.resources_of(n) for n in make_plan(trains, world()).results if n.kind == "recover"}
    assert recoveries == {
        "recover go (undo)": Resources(),
        "recover go (repeat)": Resources(gpus=2),
    }, "a recovery that trains needs what a training needs"
    by_algorithm = load("resources: {grpo: {gpus: 4}, train: {gpus: 2}}")
    (mixed,) = [node for node in make_plan(by_algorithm, world()).results if node.label == "chess+go+shogi"]
    assert by_algorithm.resources_of(mixed).gpus == 4


def test_a_launched_training_needs_its_machines_and_processes(load):
    protocol = load("launch: {accelerate: {distributed_type: FSDP, num_processes: 4, num_machines: 2}}")
    needs = {node.kind: protocol.resources_of(node) for node in make_plan(protocol, world()).results}
    assert needs["train"] == Resources(processes=2, machines=2)
    assert needs["evaluate"] == Resources()


def test_no_key_depends_on_where_steps_run(load):
    here = make_plan(load(), world())
    there = make_plan(load("engine: pool", "resources: {train: {gpus: 8}}"), world())
    assert (here.key, here.nodes.keys()) == (there.key, there.nodes.keys())


def test_what_cannot_be_placed_is_refused_with_its_key(load):
    wrong = faults(
        load,
        "engine: {use: pool, adress: auto}",
        "resources: {trian: {gpus: 1}, merge: {gpus: -1}, evaluate: {gpu: 1}, probe: 2}",
    )
    assert "did you mean address" in wrong["engine.adress"]
    assert "did you mean train" in wrong["resources.trian"]
    assert "greater than or equal to 0, not -1" in wrong["resources.merge.gpus"]
    assert "did you mean gpus" in wrong["resources.evaluate.gpu"]
    assert "write {gpus: NAME}" in wrong["resources.probe"]
    assert "did you mean pool" in faults(load, "engine: pol")["engine"]
    assert faults(load, "engine: {address: auto}") == {"engine.use": "is missing: available: pool"}
    assert "should be a name, or a mapping" in faults(load, "engine: [pool]")["engine"]


def test_the_schema_names_the_engines():
    engine = protocol_schema(world())["properties"]["engine"]
    assert engine["anyOf"][0]["enum"] == ["pool", "harness-pool/pool"]
    assert "resources" in protocol_schema(small_world())["properties"]
