"""A probe reads the models within the recoveries that train, and nothing else notices."""

import json

import pytest
from runnable_world import PROTOCOL, Bench, read_model

from harness import Config, Probe, ProbeSpec, hookimpl
from harness.planning.nodes import StateNode
from harness.planning.serialization import plan_from_json, plan_to_json

PLAIN = PROTOCOL.replace("with: add, steps: 3", "with: stepping, steps: 5")
PROBED = PLAIN.replace("{use: count}", "{use: within, every: 2}")


class WithinConfig(Config):
    every: int = 1

    def reads_states(self):
        return self.every


class Within(Probe):
    def __init__(self, config):
        self.config = config

    def measure(self, context):
        return [
            {"step": step, "label": context.lineage[step].label, "after": after, "counts": read_model(folder)}
            for step, states in context.states.items()
            for after, folder in states.items()
        ]


class Plugin:
    @hookimpl
    def harness_probes(self):
        yield ProbeSpec(name="within", summary="-", load=Within, config=WithinConfig)


def bench_at(folder, text=PROBED):
    return Bench(folder, text, plugins=[Plugin()])


def rows_of(bench):
    probes = {method.name: method.probes for method in bench.plan.methods}
    return {name: json.loads((bench.store.path(key) / "rows.json").read_text()) for name, (key,) in probes.items()}


def test_the_probe_gets_the_states_of_the_recoveries_that_train(tmp_path):
    bench = bench_at(tmp_path)
    outcome = bench.run()
    assert not outcome.failures and not outcome.left
    assert bench.world.trained == ["a", "b", "a"]
    rows = rows_of(bench)
    assert rows["sequential"] == rows["back"] == []
    assert [(row["step"], row["after"], row["counts"]) for row in rows["again"]] == [
        (3, 2, {"base": 1, "a": 7, "b": 5}),
        (3, 4, {"base": 1, "a": 9, "b": 5}),
    ]
    assert rows["again"][0]["label"] == "recover a (repeat)"


def test_no_other_key_depends_on_it_and_no_state_is_scored(tmp_path):
    plain, probed = bench_at(tmp_path, PLAIN).plan, bench_at(tmp_path).plan
    kept = {key for key, node in plain.nodes.items() if node.kind != "probe"}
    added = [probed.nodes[key] for key in probed.nodes.keys() - kept]
    assert kept < set(probed.nodes)
    assert sorted(node.kind for node in added) == ["probe", "probe", "probe", "state", "state"]
    states = [node.key for node in added if isinstance(node, StateNode)]
    assert not set(states) & set(probed.evaluations) and not probed.scores_states
    [again] = [node for node in added if node.kind == "probe" and node.states]
    assert set(again.states) == set(states) and again.start == again.lineage[-1]
    assert again.definition("", probed.domains)["lineage"] == list(again.lineage)
    assert plan_from_json(plan_to_json(probed)) == probed


def test_a_finished_run_repeats_only_the_recovery(tmp_path):
    bench_at(tmp_path, PLAIN).run()
    later = bench_at(tmp_path)
    assert not later.run().failures
    assert later.world.trained == ["a"]
    assert not (later.run().folder / "score_curves.json").exists()


def test_states_that_are_scored_and_probed_are_in_order(tmp_path):
    both = PROBED.replace("every: 2", "every: 1").replace("probes:", "evaluate: {every: 3}\nprobes:")
    bench = bench_at(tmp_path, both)
    [again] = [method for method in bench.plan.methods if method.name == "again"]
    assert [state.optimizer_step for state in bench.plan.states[again.lineage[-1]]] == [1, 2, 3, 4]
    assert bench.plan.scores_states and not bench.run().failures
    assert [row["after"] for row in rows_of(bench)["again"]] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "text", [PROBED.replace("with: stepping", "with: add"), PROBED.replace("every: 2", "every: 5")]
)
def test_where_there_are_no_states_the_probe_gets_none(tmp_path, text):
    bench = bench_at(tmp_path, text)
    assert not bench.run().failures
    assert rows_of(bench)["again"] == []
