"""Merge steps: their syntax in protocols, their nodes, and their execution."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from runnable_world import PROTOCOL, Bench, read_model

from harness.cli.plan import tree_of
from harness.errors import ProtocolError
from harness.execution.leaderboard import build_leaderboard, definition
from harness.execution.runner import walk_order
from harness.execution.score_table import collect_scores
from harness.planning.counts import cost_of
from harness.planning.nodes import MergeNode, RecoverNode, TrainNode
from harness.planning.serialization import plan_from_json, plan_to_json
from harness.protocol import MergeStep, load_protocol
from harness.protocol.schema import protocol_schema

HEAD = PROTOCOL.split("methods:")[0]
METHODS = """\
  merged: [{merge: [expert-a, expert-b], with: join}]
  expert-a: [a]
  expert-b: [{train: b, steps: 5}]
  further: [{merge: {expert-b: 2, expert-a: 0.5}, with: join}, a, {recover: b, with: undo}]
"""


def text_with(methods: str) -> str:
    return f"{HEAD}methods:\n{methods}"


@pytest.fixture
def bench_of(tmp_path):
    return lambda methods=METHODS, chosen=None, **needs: Bench(tmp_path, text_with(methods), methods=chosen, **needs)


def merge_of(bench, name) -> MergeNode:
    [method] = [method for method in bench.plan.methods if method.name == name]
    node = bench.plan.nodes[method.lineage[1]]
    assert isinstance(node, MergeNode)
    return node


def last_of(bench, name) -> str:
    [method] = [method for method in bench.plan.methods if method.name == name]
    return method.lineage[-1]


# ------------------------------------------------------------------------------------------------- the protocol


def test_experts_may_be_written_before_or_behind_and_weighed(bench_of):
    protocol = bench_of().protocol
    assert list(protocol.methods) == ["merged", "expert-a", "expert-b", "further"]
    (merged,) = protocol.methods["merged"]
    assert isinstance(merged, MergeStep)
    assert [(expert.name, expert.weight) for expert in merged.experts] == [("expert-a", 1.0), ("expert-b", 1.0)]
    assert merged.experts[0].steps == protocol.methods["expert-a"]
    assert merged.label == "merge expert-a + expert-b (join)"
    weighed = protocol.methods["further"][0]
    assert [(expert.name, expert.weight) for expert in weighed.experts] == [("expert-b", 2.0), ("expert-a", 0.5)]


def test_a_merge_counts_as_the_training_of_its_experts_domains(bench_of):
    bench = bench_of()
    recover = bench.protocol.methods["further"][-1]
    assert (recover.targets, recover.peaks["b"]) == (("b",), 1)
    assert merge_of(bench, "further").trained_domains == ("a", "b")


@pytest.mark.parametrize(
    ("method", "key", "message", "hint"),
    [
        ("[{merge: [one, tow], with: join}]", "merge[1]", "there is no method 'tow'", "did you mean two"),
        ("[{merge: [one], with: join}]", "merge", "names one expert, 'one'", "two or more"),
        ("[{merge: one, with: join}]", "merge", "names no experts", "a list of methods"),
        ("[{merge: [one, one], with: join}]", "merge", "names a method twice", "mapping of methods to weights"),
        ("[{merge: [one, 2], with: join}]", "merge[1]", "should be a method's name, not 2", ""),
        ("[{merge: {one: 1, two: 0}, with: join}]", "merge.two", "a number above 0, not 0", ""),
        ("[a, {merge: [one, two], with: join}]", "[1].merge", "only be a method's first step", "method of their own"),
        ("[{merge: [one, two]}]", "with", "is missing", "available: join, teach"),
        ("[{merge: [one, two], with: teach, algorithm: add}]", "algorithm", "does not learn from experts", "leave"),
        ("[{merge: [one, two], with: teach, algorithm: ad}]", "algorithm", "'ad'", "add"),
        ("[{merge: [one, two], with: teach, density: 1}]", "density", "unknown key", ""),
        ("[{merge: [one, again], with: teach, wary: true}]", "wary", "experts of a after base", ""),
        ("[{merge: [one, two], with: joni}]", "with", "joni", "join"),
        ("[{merge: [one, two], with: join, density: 1}]", "density", "unknown key", ""),
        ("[{merge: [one, two], train: a, with: join}]", "[0]", "both trains and merges", "two steps"),
        ("[{mrege: [one, two], with: join}]", "[0]", "neither trains, nor recovers, nor merges", "merge"),
        ("[{merge: [one, wrong], with: join}]", "methods.wrong", "needs itself", "after those that it names"),
    ],
)
def test_what_is_wrong_with_a_merge_is_said(bench_of, method, key, message, hint):
    with pytest.raises(ProtocolError) as caught:
        bench_of(f"  one: [a]\n  two: [b]\n  again: [{{train: a, steps: 7}}]\n  wrong: {method}\n")
    [problem] = caught.value.problems
    assert problem.key.endswith(key)
    assert message in problem.message
    assert hint in problem.hint


def test_methods_that_merge_one_another_are_refused_once(bench_of):
    methods = "  one: [{merge: [two, end], with: join}]\n  two: [{merge: [one, end], with: join}]\n  end: [a]\n"
    with pytest.raises(ProtocolError) as caught:
        bench_of(methods)
    [problem] = caught.value.problems
    assert "part of a cycle: " in problem.message
    assert "one needs two needs one" in problem.message


def test_a_fault_of_an_expert_is_told_where_it_is_and_nowhere_else(bench_of):
    with pytest.raises(ProtocolError) as caught:
        bench_of("  one: [z]\n  two: [b]\n  merged: [{merge: [one, two], with: join}, {recover: a, with: undo}]\n")
    assert [problem.key for problem in caught.value.problems] == ["methods.one[0]"]


def test_the_schema_knows_merges(bench_of):
    bench = bench_of()
    schema = Draft202012Validator(protocol_schema(bench.registry)["$defs"]["Step"])
    assert schema.is_valid({"merge": ["one", "two"], "with": "join"})
    assert schema.is_valid({"merge": {"one": 1, "two": 0.5}, "with": "join"})
    assert not schema.is_valid({"merge": ["one"], "with": "join"})
    assert not schema.is_valid({"merge": ["one", "two"], "with": "joint"})
    assert not schema.is_valid({"merge": ["one", "two"], "with": "join", "train": "a"})


# ----------------------------------------------------------------------------------------------------- the plan


def test_a_merge_hangs_on_the_base_and_the_experts_in_their_order(bench_of):
    bench = bench_of()
    base = bench.key("base")
    merged, further = merge_of(bench, "merged"), merge_of(bench, "further")
    assert merged.parents == (base, last_of(bench, "expert-a"), last_of(bench, "expert-b"))
    assert further.parents == (base, last_of(bench, "expert-b"), last_of(bench, "expert-a"))
    assert (further.weights, further.experts) == ((2.0, 0.5), ("expert-b", "expert-a"))
    assert bench.plan.lineage_of(last_of(bench, "further"))[:2] == (base, further.key)
    recover = bench.plan.nodes[last_of(bench, "further")]
    assert isinstance(recover, RecoverNode)
    assert recover.parents[recover.peaks[recover.targets[0]]] == further.key


def test_the_key_covers_the_experts_their_order_and_weights_and_not_their_names(bench_of):
    def key(merge: str, experts: str = "  one: [a]\n  two: [b]\n") -> str:
        return merge_of(bench_of(f"{experts}  merged: [{{merge: {merge}, with: join}}]\n"), "merged").key

    same = key("[one, two]")
    assert key("{one: 1, two: 1.0}") == same
    assert key("[first, second]", "  first: [a]\n  second: [b]\n") == same
    assert key("[one, two]", "  one: [{train: a, steps: 4}]\n  two: [b]\n") != same
    assert len({same, key("[two, one]"), key("{one: 1, two: 2}")}) == 3


def test_a_chosen_merge_brings_its_experts_unscored(bench_of):
    bench = bench_of(chosen=["merged"])
    assert [method.name for method in bench.plan.methods] == ["merged"]
    assert sorted(node.label for node in bench.plan.nodes.values() if isinstance(node, TrainNode)) == ["a", "b"]
    assert bench.plan.evaluations.keys() == {bench.key("base"), merge_of(bench, "merged").key}
    assert bench.plan.nodes.keys() <= bench_of().plan.nodes.keys()


def test_experts_stand_before_the_merge_whatever_the_order_of_methods(bench_of):
    seen = set()
    for node in walk_order(bench_of().plan):
        assert {parent for parent in node.parents if node.label != "base"} <= seen | {bench_of().key("base")}
        seen.add(node.key)


def test_a_merge_runs_its_own_plugin_and_is_counted(bench_of):
    bench = bench_of()
    assert [use.name for use in merge_of(bench, "merged").plugins(bench.plan.domains)] == ["join"]
    cost = cost_of(bench.plan, bench.registry)
    assert (cost.merges, cost.trainings, cost.recoveries) == (2, 3, 1)


def test_the_tree_shows_merged_experts_that_are_no_rows(bench_of, capsys):
    from rich.console import Console

    bench = bench_of(chosen=["merged"])
    Console(width=100).print(tree_of(bench.plan, set()))
    lines = capsys.readouterr().out.splitlines()
    labels = [line.strip("│├└─ ").split("  ")[0] for line in lines]
    places = [next(i for i, label in enumerate(labels) if label.startswith(start)) for start in ("a ", "b ", "merge ")]
    assert places == sorted(places)
    assert "= merged" in labels[places[-1] + 1]


def test_the_plan_is_plain_data_and_is_read_back(bench_of):
    bench = bench_of()
    told = json.loads(json.dumps(plan_to_json(bench.plan)))
    [merge, _] = [node for node in told["nodes"] if node["kind"] == "merge"]
    assert (merge["experts"], merge["weights"], merge["trained"]) == (["expert-a", "expert-b"], [1.0, 1.0], ["a", "b"])
    assert plan_from_json(told).nodes == bench.plan.nodes


# ------------------------------------------------------------------------------------------------------ the run


def test_a_run_merges_what_the_experts_left(bench_of):
    bench = bench_of()
    assert not bench.run().failures
    merged = merge_of(bench, "merged")
    assert read_model(bench.store.path(merged.key) / "model") == {"base": 1, "a": 3, "b": 5}
    result = json.loads((bench.store.path(merged.key) / "result.json").read_bytes())
    assert result["report"]["experts"] == [["expert-a", 1.0, ["a"]], ["expert-b", 1.0, ["b"]]]
    [told] = [event for event in bench.world.observed if event.key == merged.key]
    assert (told.kind, told.report["experts"][0][0]) == ("merge", "expert-a")
    assert bench.world.trained.count("a") == 2  # expert-a, and further's own


def test_what_follows_a_merge_starts_from_it(bench_of):
    bench = bench_of()
    bench.run()
    method = next(method for method in bench.plan.methods if method.name == "further")
    after_training = read_model(bench.store.path(method.lineage[2]) / "model")
    assert after_training == {"base": 1, "a": 6, "b": 5}
    assert read_model(bench.store.path(method.lineage[3]) / "model") == {"base": 1, "a": 3, "b": 5}  # back to the merge


def test_the_row_of_a_merge_costs_what_its_experts_do_once(bench_of):
    bench = bench_of(
        "  one: [a]\n  two: [a, b]\n  merged: [{merge: [one, two], with: join}, b]\n", chosen=["merged", "two"]
    )
    bench.run()
    board = build_leaderboard(collect_scores(bench.plan, bench.store), bench.plan, bench.store, {})
    costs = {row.method: row.cost.optimizer_steps for row in board.rows}
    assert (costs["two"], costs["merged"]) == (6, 9)  # a is shared by both experts
    row = next(row for row in board.rows if row.method == "merged")
    assert [step.label for step in row.trajectory] == ["base", "merge one + two (join)", "train b"]


def test_the_definition_of_a_row_covers_the_experts(bench_of):
    def digest(experts: str) -> str:
        bench = bench_of(f"{experts}  merged: [{{merge: [one, two], with: join}}]\n", chosen=["merged"])
        return definition(bench.plan, bench.plan.methods[0])

    assert digest("  one: [a]\n  two: [b]\n") != digest("  one: [{train: a, steps: 9}]\n  two: [b]\n")


def test_a_merge_of_an_expert_that_failed_is_not_made(bench_of):
    bench = bench_of()

    def fail(names, step, context):
        if names == "b":
            raise RuntimeError("no")

    bench.world.on_train = fail
    outcome = bench.run()
    assert [failure.node.label for failure in outcome.failures] == ["b"]
    assert not bench.store.has(merge_of(bench, "merged").key)


def test_each_seed_merges_its_own_experts(tmp_path):
    bench = Bench(tmp_path, text_with(METHODS).replace("seeds: [0]", "seeds: [0, 1]"))
    for method in bench.plan.methods:
        if method.name == "merged":
            experts = bench.plan.nodes[method.lineage[1]].parents[1:]
            assert {bench.plan.nodes[key].seed for key in experts} == {method.seed}
    bench.run()
    assert len({seed for name, seed in bench.world.seeds if name == "join"}) == 2


def test_a_merge_may_be_merged(bench_of):
    bench = bench_of(
        "  one: [a]\n  two: [b]\n  both: [{merge: [one, two], with: join}]\n"
        "  all: [{merge: [both, one], with: join}]\n",
        chosen=["all"],
    )
    assert not bench.run().failures
    assert read_model(bench.store.path(last_of(bench, "all")) / "model") == {"base": 1, "a": 6, "b": 3}
    assert load_protocol(bench.path, bench.registry).methods.keys() == {"one", "two", "both", "all"}
