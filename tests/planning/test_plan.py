"""Plans: their nodes, shared steps, and what keys depend on."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from small_world import DISTRIBUTION, PROTOCOL, Game, Model, SmallWorld

from harness import DomainSpec, PluginError, hookimpl
from harness.errors import ProtocolError
from harness.planning.counts import PlanCost, cost_of
from harness.planning.nodes import EvaluateNode, ProbeNode, RecoverNode, TrainNode
from harness.planning.planner import make_plan
from harness.planning.serialization import plan_to_json
from harness.plugin.registry import Registry
from harness.protocol import load_protocol

GAMES = ("chess", "go", "shogi", "draughts")
REGISTRY = Registry.of([(DISTRIBUTION, SmallWorld())])


@pytest.fixture(scope="module")
def plan_of(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "games.yaml"

    def planned(content=PROTOCOL, registry=REGISTRY, **chosen):
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return make_plan(load_protocol(path, registry, **chosen), registry)

    return planned


def content(**changed):
    return YAML(typ="safe", pure=True).load(PROTOCOL) | changed


def games(*methods, **changed):
    """A protocol of the four games with the given methods, each a list of steps."""
    named = {f"method-{index}": list(steps) for index, steps in enumerate(methods)}
    return content(domains={game: {"use": game} for game in GAMES}, methods=named, **changed)


def count(plan, kind):
    return sum(isinstance(node, kind) for node in plan.nodes.values())


def method_named(plan, name, seed=0):
    return next(method for method in plan.methods if (method.name, method.seed) == (name, seed))


def test_the_24_orders_of_four_domains_share_their_beginnings(plan_of):
    plan = plan_of(games(*permutations(GAMES)))
    assert len(plan.methods) == 24
    assert count(plan, TrainNode) == 4 + 12 + 24 + 24 == 64
    assert count(plan, EvaluateNode) == (64 + 1) * 4


def test_methods_with_the_same_beginning_share_its_nodes(plan_of):
    plan = plan_of()
    sequential, again, undone, mixed = (method.lineage for method in plan.methods)
    assert sequential == again[:-1] == undone[:-1]
    assert mixed[0] == sequential[0]
    assert count(plan, TrainNode) == 4
    assert count(plan, RecoverNode) == 2


def test_seeds_share_the_base_and_nothing_else_that_is_trained(plan_of):
    one, three = plan_of(), plan_of(seeds=(0, 1, 2))
    assert one.nodes.keys() <= three.nodes.keys()
    assert count(three, TrainNode) == 3 * count(one, TrainNode)
    assert len({method.lineage[0] for method in three.methods}) == 1
    first, second = (method_named(three, "again", seed).lineage for seed in (0, 1))
    assert not set(first[1:]) & set(second[1:])
    assert {three.nodes[key].seed for key in second[1:]} == {1}
    assert three.nodes[first[0]].seed == 0


def test_a_recovery_has_its_whole_lineage_as_parents(plan_of):
    plan = plan_of()
    lineage = method_named(plan, "undone").lineage
    node = plan.nodes[lineage[-1]]
    assert isinstance(node, RecoverNode)
    assert node.parents == lineage[:-1]
    assert plan.nodes[node.parents[node.peaks["go"]]].trained_domains == ("go",)
    assert plan.domains_before(node.key) == ("chess", "go", "shogi")


def test_every_checkpoint_is_scored_on_every_domain(plan_of):
    plan = plan_of(seeds=(0, 1))
    checkpoints = {key for method in plan.methods for key in method.lineage}
    assert plan.evaluations.keys() == checkpoints
    for checkpoint, by_domain in plan.evaluations.items():
        assert list(by_domain) == list(plan.domains)
        assert all(plan.nodes[key].parents == (checkpoint,) for key in by_domain.values())


def test_probes_hang_on_each_methods_lineage(plan_of):
    plan = plan_of(content(probes=[{"use": "distance"}]))
    assert count(plan, ProbeNode) == 4
    for method in plan.methods:
        assert [plan.nodes[key].parents for key in method.probes] == [method.lineage]


steps = st.one_of(
    st.sampled_from(GAMES),
    st.lists(st.sampled_from(GAMES), min_size=1, max_size=4, unique=True).map(lambda names: {"train": names}),
    st.tuples(st.sampled_from(GAMES), st.integers(1, 3)).map(lambda pair: {"train": pair[0], "steps": pair[1]}),
)
pipelines = st.lists(st.lists(steps, min_size=1, max_size=4), min_size=1, max_size=5)


@given(pipelines, st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True))
def test_parents_come_first_and_keys_are_the_nodes_own(plan_of, methods, seeds):
    plan = plan_of(games(*methods, seeds=seeds, probes=[{"use": "distance"}]))
    seen = set()
    for key, node in plan.nodes.items():
        assert node.key == key
        assert set(node.parents) <= seen
        seen.add(key)
    for method in plan.methods:
        assert len(method.lineage) == 1 + len(methods[int(method.name.removeprefix("method-"))])
        for before, after in zip(method.lineage, method.lineage[1:], strict=False):
            assert plan.nodes[after].parents[-1] == before


@given(pipelines, st.randoms(use_true_random=False))
def test_the_order_in_which_a_file_is_written_changes_no_key(plan_of, methods, random):
    def shuffled(value):
        if not isinstance(value, dict):
            return [shuffled(item) for item in value] if isinstance(value, list) else value
        return {key: shuffled(value[key]) for key in random.sample(list(value), len(value))}

    written = games(*methods)
    one, other = plan_of(written), plan_of(shuffled(written))
    assert one.nodes.keys() == other.nodes.keys()
    assert one.key == other.key


def depends_on(plan, is_changed):
    """The keys of the nodes that `is_changed` names and of all that stand on them."""
    changed = set()
    for key, node in plan.nodes.items():
        if is_changed(node) or changed & set(node.parents):
            changed.add(key)
    return changed


CHANGES = {
    "a training's config": (
        {"train": {"with": "grpo", "steps": 61, "learning_rate": 6e-4}},
        lambda node: isinstance(node, TrainNode) and len(node.domains) == 1,  # the mix has steps of its own
    ),
    "a domain's config": (
        {"domains": {"chess": {"use": "chess"}, "go": {"use": "go"}, "shogi": {"use": "shogi", "items": 9}}},
        lambda node: (
            (isinstance(node, TrainNode) and "shogi" in node.domains)
            or (isinstance(node, EvaluateNode) and node.domain == "shogi")
        ),
    ),
    "a reward's config": (
        {
            "domains": {
                "chess": {"use": "chess"},
                "go": {"use": "go"},
                "shogi": {"use": "shogi", "reward": {"use": "win", "scale": 3}},
            }
        },
        lambda node: isinstance(node, TrainNode) and "shogi" in node.domains,
    ),
    "the settings of scoring": ({"evaluate": {"limit": 511, "batch_size": 256}}, lambda n: isinstance(n, EvaluateNode)),
    "the model": ({"model": {"use": "tiny", "size": 2}}, lambda node: node.kind == "base"),
    "the summary": ({"summary": "Other words"}, lambda node: False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_new_only_what_depends_on_it(plan_of, name):
    change, is_changed = CHANGES[name]
    before, after = plan_of(), plan_of(content(**change))
    assert before.nodes.keys() - after.nodes.keys() == depends_on(before, is_changed)
    assert len(before.nodes) == len(after.nodes)


def test_a_recoverys_config_makes_new_only_the_recovery_and_its_scores(plan_of):
    before, after = plan_of(), plan_of(PROTOCOL.replace("fraction: 0.1", "fraction: 0.2"))
    gone = before.nodes.keys() - after.nodes.keys()
    recovery = method_named(before, "undone").lineage[-1]
    assert gone == {recovery, *before.evaluations[recovery].values()}


def test_default_values_written_out_change_nothing(plan_of):
    text = PROTOCOL.replace(
        "go: {use: go}", f"go: {{use: {DISTRIBUTION}/go, items: 10, reward: {{use: win, scale: 1}}}}"
    )
    assert plan_of(text).nodes.keys() == plan_of().nodes.keys()


def test_data_and_weights_are_in_the_keys(plan_of, monkeypatch):
    before = plan_of()
    monkeypatch.setattr(Game, "data", "rules 2")
    after = plan_of()
    assert before.methods[0].lineage[0] == after.methods[0].lineage[0]
    assert not set(before.methods[0].lineage[1:]) & set(after.methods[0].lineage[1:])
    monkeypatch.setattr(Model, "fingerprint", lambda model: "other weights")
    assert before.nodes.keys().isdisjoint(plan_of().nodes.keys())


def test_the_harness_itself_is_in_the_keys(plan_of, monkeypatch):
    before = plan_of()
    monkeypatch.setattr(Registry, "harness_identity", lambda registry: "mdrl-harness@99")
    after = plan_of()
    assert before.nodes.keys() & after.nodes.keys() == {before.methods[0].lineage[0]}


def test_chosen_seeds_methods_and_columns_give_another_run_folder(plan_of):
    renamed = PROTOCOL.replace("sequential:", "in-turn:")
    keys = {plan.key for plan in (plan_of(), plan_of(seeds=(1,)), plan_of(methods=("mixed",)), plan_of(renamed))}
    assert len(keys) == 4


@pytest.mark.parametrize("fingerprint", [lambda game: 1 / 0, lambda game: "", lambda game: None])
def test_a_plugin_without_a_fingerprint_is_told_by_name(plan_of, monkeypatch, fingerprint):
    monkeypatch.setattr(Game, "fingerprint", fingerprint)
    with pytest.raises(PluginError, match=f"{DISTRIBUTION}:chess@0.*fingerprint"):
        plan_of()


def test_a_domain_that_cannot_be_built_is_told_by_name(plan_of):
    class Broken:
        @hookimpl
        def harness_domains(self):
            yield DomainSpec(name="chess-960", summary="Fails", reward="win", load="no_such_package:Chess")

    registry = Registry.of([(DISTRIBUTION, SmallWorld()), ("broken", Broken())])
    with pytest.raises(ProtocolError, match=r"broken 0: domain 'chess-960'"):
        plan_of(PROTOCOL.replace("{use: chess}", "{use: chess-960}"), registry)


def test_the_cost_counts_what_the_configs_tell(plan_of):
    plan = plan_of()
    assert cost_of(plan, REGISTRY) == PlanCost(
        trainings=4,
        recoveries=2,
        evaluations=7 * 3,
        optimizer_steps=3 * 60 + 180 + 3,
        completions=(3 * 60 + 180 + 3) * 4 * 2,
    )
    done = plan.methods[0].lineage
    assert cost_of(plan, REGISTRY, without=done).optimizer_steps == 180 + 3


def test_the_plan_is_written_as_json_whole_and_in_order(plan_of):
    plan = plan_of(content(probes=[{"use": "distance"}], domains={g: {"use": g} for g in GAMES}))
    written = json.loads(json.dumps(plan_to_json(plan), allow_nan=False))
    assert [node["key"] for node in written["nodes"]] == list(plan.nodes)
    assert written["methods"][0]["lineage"] == list(plan.methods[0].lineage)
    assert written["evaluations"] == plan.evaluations
    recover = next(node for node in written["nodes"] if node["kind"] == "recover" and node["training"] is None)
    assert recover["recovery"]["config"] == {"fraction": 0.1, "score": "fisher"}
    settings = {"limit": 512, "batch_size": 256, "seed": 0, "chat_template": None, "think_end": None}
    assert written["settings"] == settings | {"backend": "hf", "args": {}, "serve": []}
