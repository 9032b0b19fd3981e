"""Merges that train, and trainings that read other methods: their keys, their place, and their execution."""

from __future__ import annotations

import json

import pytest
from runnable_world import PROTOCOL, Bench, read_model

from harness.errors import ProtocolError
from harness.execution.leaderboard import build_leaderboard, definition
from harness.execution.score_table import collect_scores
from harness.planning.counts import cost_of
from harness.planning.nodes import MergeNode
from harness.planning.serialization import plan_from_json, plan_to_json
from harness.results.leaderboard import ModelSize

HEAD = PROTOCOL.split("methods:")[0]


def text_with(methods: str) -> str:
    return f"{HEAD}methods:\n{methods}"


@pytest.fixture
def bench_of(tmp_path):
    return lambda methods, chosen=None: Bench(tmp_path, text_with(methods), methods=chosen)


def node_of(bench, method, step=1):
    [found] = [one for one in bench.plan.methods if one.name == method]
    return bench.plan.nodes[found.lineage[step]]


def merge_of(bench, name) -> MergeNode:
    node = node_of(bench, name)
    assert isinstance(node, MergeNode)
    return node


TAUGHT = """\
  one: [a]
  two: [b]
  taught: [{merge: {one: 2, two: 1}, with: teach, steps: 4}, {recover: a, with: undo}]
"""


def test_a_merge_trains_with_its_algorithm_over_the_defaults(bench_of):
    bench = bench_of(TAUGHT)
    taught = merge_of(bench, "taught")
    assert (taught.training.name, taught.training.config["steps"]) == ("learn", 4)
    assert taught.trained_with is taught.training
    assert [use.name for use in taught.plugins(bench.plan.domains)][:2] == ["teach", "learn"]
    assert taught.sampled_domains == ("a", "b")
    assert cost_of(bench.plan, bench.registry).optimizer_steps == 4
    assert plan_from_json(json.loads(json.dumps(plan_to_json(bench.plan)))).nodes == bench.plan.nodes


def test_the_key_of_a_merge_that_trains_covers_its_settings(bench_of):
    keys = {merge_of(bench_of(TAUGHT.replace("steps: 4", f"steps: {steps}")), "taught").key for steps in (4, 5)}
    assert len(keys) == 2


def test_a_merge_trains_the_base_and_shows_it_its_experts(bench_of):
    bench = bench_of(TAUGHT)
    assert not bench.run().failures
    taught = merge_of(bench, "taught")
    assert read_model(bench.store.path(taught.key) / "model") == {"base": 1, "a": 4, "b": 4}
    assert bench.world.experts == [[], [], [("one", 2.0, ("a",)), ("two", 1.0, ("b",))]]
    board = build_leaderboard(collect_scores(bench.plan, bench.store), bench.plan, bench.store, {})
    assert {row.method: row.cost.optimizer_steps for row in board.rows}["taught"] == 3 + 3 + 4
    assert {row.method: row.parameters for row in board.rows}["taught"] == ModelSize(total=0, active=0)


def test_a_merge_runs_in_several_processes_if_it_trains(tmp_path):
    launch = "{distributed_type: FSDP, num_processes: 2}"
    text = text_with(TAUGHT + "  joined: [{merge: [one, two], with: join}]\n")
    bench = Bench(tmp_path, f"{text}launch: {{accelerate: {launch}}}\n")
    assert merge_of(bench, "taught").launch == {"distributed_type": "FSDP", "num_processes": 2}
    assert merge_of(bench, "joined").launch is None


def test_states_within_a_merge_that_trains_are_scored(tmp_path):
    text = text_with(
        TAUGHT.replace("[a]", "[{train: a, with: stepping}]").replace("[b]", "[{train: b, with: stepping}]")
    )
    bench = Bench(tmp_path, f"{text}evaluate: {{every: 2}}\n", methods=["taught"])
    [state] = bench.plan.states[merge_of(bench, "taught").key]
    assert not bench.run().failures
    assert read_model(bench.store.path(state.key) / "model") == {"base": 1, "a": 2, "b": 2}


def test_a_killed_merge_goes_on_training_where_it_was(bench_of):
    bench = bench_of(TAUGHT, chosen=["taught"])

    def kill(names, step, context):
        if names == "a+b" and step == 3:
            raise KeyboardInterrupt

    bench.world.on_train = kill
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    bench.world.on_train = None
    assert not bench.run().failures
    result = json.loads((bench.store.path(merge_of(bench, "taught").key) / "result.json").read_bytes())
    assert result["report"]["resumed_from"] == 2


NAMED = """\
  one: [a]
  taught: [b, {train: {a: 1}, with: learn, learn_from: {a: one}}]
  again: [a, b, {recover: a, with: repeat, algorithm: learn, learn_from: {a: one}}]
"""


def test_a_training_may_read_the_last_checkpoints_of_other_methods(bench_of):
    bench = bench_of(NAMED, chosen=["taught", "again"])
    one = node_of(bench, "again", 1).key  # the same training as that of `one`
    taught, again = node_of(bench, "taught", 2), node_of(bench, "again", 3)
    assert taught.merged_checkpoints == (one,)
    assert (taught.start, taught.lineage) == (node_of(bench, "taught", 1).key, (node_of(bench, "taught", 1).key,))
    assert (again.merged_checkpoints, again.parents[1:]) == ((one,), again.lineage)
    assert again.lineage[again.peaks["a"]] == one
    assert [use.definition()["config"]["learn_from"] for use, _ in taught.calls({})] == [{"a": {"expert": 0}}]
    assert bench.plan.lineage_of(again.key) == (*again.lineage, again.key)
    assert plan_from_json(json.loads(json.dumps(plan_to_json(bench.plan)))).nodes == bench.plan.nodes
    assert not bench.run().failures
    seen = [("one", 1.0, ("a",))]
    assert bench.world.experts.count(seen) == 2
    board = build_leaderboard(collect_scores(bench.plan, bench.store), bench.plan, bench.store, {})
    assert {row.method: row.cost.optimizer_steps for row in board.rows}["taught"] == 3 + 3 + 3


def test_a_key_covers_the_checkpoint_that_is_read_and_not_the_name_of_its_method(bench_of):
    def keys(text):
        bench = bench_of(text)
        return node_of(bench, "taught", 2).key, node_of(bench, "again", 3).key

    same = keys(NAMED)
    assert keys(NAMED.replace("one: [a]", "other: [a]").replace("a: one", "a: other")) == same
    assert not set(keys(NAMED.replace("one: [a]", "one: [{train: a, steps: 9}]"))) & set(same)
    two = NAMED.replace("learn_from: {a: one}", "learn_from: {a: one, b: one}")
    assert not set(keys(two)) & set(same)


def test_the_definition_of_a_row_covers_the_methods_it_reads_and_no_seed(bench_of, tmp_path):
    def digests(text):
        bench = Bench(tmp_path, text_with(text).replace("seeds: [0]", "seeds: [0, 1]"), methods=["taught"])
        return [definition(bench.plan, method) for method in bench.plan.methods]

    first, second = digests(NAMED)
    assert first == second
    assert digests(NAMED.replace("one: [a]", "one: [{train: a, steps: 9}]"))[0] != first


@pytest.mark.parametrize(
    ("step", "key", "message"),
    [
        ("{train: a, with: learn, learn_from: {a: oen}}", "[0].learn_from.a", "there is no method 'oen'"),
        ("{train: a, with: learn, learn_from: {a: wrong}}", "methods.wrong", "needs itself"),
        ("{train: a, with: learn, wary: true, learn_from: {a: one, b: same}}", "wary", "experts of a after base"),
        ("{merge: [one, two], with: teach, learn_from: {a: same}}", "learn_from.a", "not among the experts"),
    ],
)
def test_what_is_wrong_with_a_named_method_is_said(bench_of, step, key, message):
    with pytest.raises(ProtocolError) as caught:
        bench_of(f"  one: [a]\n  two: [b]\n  same: [{{train: a, steps: 8}}]\n  wrong: [{step}]\n")
    [problem] = caught.value.problems
    assert problem.key.endswith(key)
    assert message in problem.message
