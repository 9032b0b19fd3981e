"""The protocol's `launch` section: accepted and rejected values."""

from __future__ import annotations

import pytest
from small_world import PROTOCOL, small_world

from harness.errors import ProtocolError
from harness.planning.planner import make_plan
from harness.protocol import load_protocol


@pytest.fixture
def load(tmp_path):
    def loaded(launch):
        path = tmp_path / "games.yaml"
        path.write_text(f"{PROTOCOL}launch: {launch}\n")
        return load_protocol(path, small_world())

    return loaded


def faults(load, launch):
    with pytest.raises(ProtocolError) as raised:
        load(launch)
    return {problem.key: f"{problem.message}: {problem.hint}" for problem in raised.value.problems}


def test_accelerates_config_may_stand_in_the_protocol_or_in_a_file(load, tmp_path):
    expected = {"distributed_type": "FSDP", "num_processes": 2, "fsdp_config": {"fsdp_version": 2}}
    inline = "{accelerate: {distributed_type: FSDP, num_processes: 2, fsdp_config: {fsdp_version: 2}}}"
    assert load(inline).launch == expected
    (tmp_path / "fsdp.yaml").write_text("distributed_type: FSDP\nnum_processes: 2\nfsdp_config: {fsdp_version: 2}\n")
    assert load("{accelerate: fsdp.yaml}").launch == expected
    assert load("null").launch is None


def test_what_accelerate_would_not_do_is_refused(load):
    wrong = faults(load, "{accelerate: {distributed_type: MULTI_CPU, num_processes: 2, num_machine: 1}}")
    assert "did you mean num_machines" in wrong["launch.accelerate.num_machine"]
    assert "would start one process instead of 2" in wrong["launch.accelerate.distributed_type"]
    assert "None" in faults(load, "{accelerate: {distributed_type: FSDP}}")["launch.accelerate.num_processes"]
    machines = "{accelerate: {distributed_type: FSDP, num_processes: 5, num_machines: 2, main_process_ip: a}}"
    several = faults(load, machines)
    assert "5 processes cannot be divided among 2 machines" in several["launch.accelerate.num_processes"]
    assert "the engine chooses the machines" in several["launch.accelerate.main_process_ip"]
    none = "{accelerate: {distributed_type: FSDP, num_processes: 4, num_machines: 0}}"
    assert "number of machines, not 0" in faults(load, none)["launch.accelerate.num_machines"]
    assert "no such file" in faults(load, "{accelerate: nowhere.yaml}")["launch.accelerate"]
    assert "unknown key" in faults(load, "{torchrun: {}}")["launch.torchrun"]


def test_only_steps_that_train_are_launched_and_keyed_by_it(load):
    def plan(launch):
        return make_plan(load(launch), small_world())

    alone = plan("null")
    launched = plan("{accelerate: {distributed_type: FSDP, num_processes: 2}}")
    elsewhere = plan("{accelerate: {distributed_type: FSDP, num_processes: 2, main_process_port: 29501}}")
    assert launched.nodes.keys() == elsewhere.nodes.keys()
    assert {node.label for node in launched.nodes.values() if getattr(node, "launch", None)} == {
        node.label
        for node in alone.nodes.values()
        if node.kind == "train" or (node.kind == "recover" and node.training is not None)
    }
    shared = launched.nodes.keys() & alone.nodes.keys()
    assert {node.kind for node in map(launched.nodes.get, shared)} == {"base", "evaluate"}
