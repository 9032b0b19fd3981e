"""Rewards in the config of another plugin: resolved when a protocol is read, built before their owner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import pytest
from small_world import DISTRIBUTION, PROTOCOL, SmallWorld

from harness import (
    AlgorithmSpec,
    Config,
    PluginError,
    Reward,
    RewardResult,
    RewardSpec,
    RewardUse,
    Unkeyed,
    hookimpl,
)
from harness.errors import ProtocolError
from harness.execution.store import Store
from harness.planning.planner import make_plan
from harness.planning.serialization import plan_from_json, plan_to_json
from harness.planning.why import explain
from harness.plugin.registry import Registry
from harness.protocol import instance_of, load_protocol


class ConstantConfig(Config):
    value: float = 1.0


class Constant(Reward):
    def __init__(self, config):
        self.config = config

    def score(self, batch):
        return [RewardResult.ok(self.config.value) for _ in batch.rows]


class PanelConfig(Config):
    members: dict[str, RewardUse]
    chair: RewardUse | None = None


class Panel(Reward):
    def __init__(self, config):
        self.members = {name: use.load() for name, use in config.members.items()}
        self.chair = config.chair.load() if config.chair else None

    def score(self, batch):
        raise NotImplementedError


class Panels:
    @hookimpl
    def harness_rewards(self):
        yield RewardSpec(name="panel", summary="Several", load=Panel, config=PanelConfig)
        yield RewardSpec(name="constant", summary="One number", load=Constant, config=ConstantConfig)
        yield RewardSpec(
            name="runs", summary="Runs it", load=Constant, config=ConstantConfig, needs=frozenset({"executes-code"})
        )
        yield RewardSpec(name="filed", summary="Reads a file", load=Filed, config=FiledConfig)

    @hookimpl
    def harness_algorithms(self):
        yield AlgorithmSpec(name="judged", summary="Judged", load=Judged, config=JudgedConfig)


class FiledConfig(Config):
    path: Annotated[Path, Unkeyed("the fingerprint covers the content")]


class Filed(Constant):
    """A reward that reads a file."""

    def fingerprint(self):
        return self.config.path.read_text()


class JudgedConfig(Config):
    judge: RewardUse
    shown: Annotated[RewardUse | None, Unkeyed("printed only")] = None


class Judged:
    """An algorithm with a reward of its own, which no plan builds."""

    def __init__(self, config):
        raise AssertionError("a plan builds no algorithm")


REGISTRY = Registry.of([(DISTRIBUTION, SmallWorld()), ("panels", Panels())])


@pytest.fixture
def load(tmp_path):
    def loaded(reward, more=""):
        path = tmp_path / "games.yaml"
        path.write_text(PROTOCOL.replace("go: {use: go}", f"go: {{use: go, reward: {reward}}}") + more)
        return load_protocol(path, REGISTRY)

    return loaded


def test_an_inner_reward_is_resolved_with_its_defaults_and_identity(load):
    reward = load("{use: panel, members: {a: constant, b: {use: constant, value: 0.5}}}").domains["go"].reward
    assert reward.config["members"] == {
        "a": {"use": "constant", "config": {"value": 1.0}, "identity": "panels:constant@0"},
        "b": {"use": "constant", "config": {"value": 0.5}, "identity": "panels:constant@0"},
    }
    assert reward.config["chair"] is None


def test_building_the_outer_one_builds_the_inner_ones_at_any_depth(load):
    text = "{use: panel, members: {a: {use: panel, members: {x: {use: constant, value: 3.0}}}}, chair: constant}"
    panel = instance_of(load(text).domains["go"].reward, REGISTRY)
    assert panel.members["a"].members["x"].config.value == 3.0
    assert panel.chair.config.value == 1.0


def test_an_inner_rewards_keys_are_in_the_key_of_what_it_trains(load):
    def keys(value):
        plan = make_plan(load(f"{{use: panel, members: {{a: {{use: constant, value: {value}}}}}}}"), REGISTRY)
        return {node.label: node.key for node in plan.nodes.values() if node.kind == "train"}

    one, other = keys(1.0), keys(2.0)
    assert one["go"] != other["go"]
    assert one["chess"] == other["chess"]


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("go: {use: go}", "go: {use: go, reward: {use: panel, members: {a: FILED}}}", {"go", "shogi", "mixed"}),
        (
            "go: {use: go}",
            "go: {use: go, reward: {use: panel, members: {a: {use: panel, members: {b: FILED}}}}}",
            {"go", "shogi", "mixed"},
        ),
        ("steps: 180", "with: judged, judge: FILED", {"mixed"}),
        ("steps: 180", "with: judged, judge: {use: panel, members: {}, chair: FILED}", {"mixed"}),
        ("steps: 180", "with: judged, judge: constant, shown: FILED", set()),
    ],
)
def test_what_an_inner_reward_reads_is_in_the_key_of_what_its_owner_makes(tmp_path, old, new, changed):
    data, path = tmp_path / "data.txt", tmp_path / "games.yaml"
    path.write_text(PROTOCOL.replace(old, new.replace("FILED", f"{{use: filed, path: {data}}}")))

    def plan(content):
        data.write_text(content)
        return make_plan(load_protocol(path, REGISTRY), REGISTRY)

    before, after = plan("one"), plan("two")
    assert plan("one").nodes.keys() == before.nodes.keys()
    keys = [{node.label: node.key for node in plan.nodes.values() if node.kind == "train"} for plan in (before, after)]
    found = {label.split(" (")[0] for label in keys[0] if keys[0][label] != keys[1][label]}
    assert found == {"chess+go+shogi" if name == "mixed" else name for name in changed}
    assert plan_from_json(json.loads(json.dumps(plan_to_json(after)))) == after

    store = Store(tmp_path / "store")
    for key in before.nodes:
        with store.writing(key, {"definition": before.definition_of(key)}):
            pass
    reasons = explain(after, store, [key for key in after.nodes if store.has(key)]).reasons
    told = {difference for reason in reasons for difference in reason.differences}
    assert any(line.startswith("files of the reward ") and line.endswith(": changed") for line in told) == bool(changed)


def test_faults_of_an_inner_reward_are_told_at_their_place(load):
    with pytest.raises(ProtocolError) as raised:
        load("{use: panel, members: {a: {use: constant, vlaue: 2.0}, b: constnat}}")
    found = {problem.key: (problem.message, problem.hint) for problem in raised.value.problems}
    assert found["domains.go.reward.members.a.vlaue"] == ("unknown key", "did you mean value?")
    assert "constnat" in found["domains.go.reward.members.b"][0]
    assert "constant" in found["domains.go.reward.members.b"][1]


def test_what_an_inner_reward_needs_its_owner_needs(load):
    with pytest.raises(ProtocolError, match=r"allow: \[executes-code\]"):
        load("{use: panel, members: {a: runs}}")
    agreed = load("{use: panel, members: {a: runs}}", "allow: [executes-code]\n")
    assert agreed.domains["go"].reward.needs == {"executes-code"}


def test_a_reward_that_no_registry_built_says_so():
    with pytest.raises(PluginError, match=r"Registry\.build"):
        RewardUse(use="constant").load()
