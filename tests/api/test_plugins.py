"""Plugins are listed, found and checked, and the machine is described, from Python."""

from __future__ import annotations

import json

import pytest

import harness
from harness import RewardResult, RewardSpec, hookimpl


class Rewards:
    @hookimpl
    def harness_rewards(self):
        yield RewardSpec(name="good", summary="s", load=Good)
        yield RewardSpec(name="bad", summary="s", load=Bad)


class Good(harness.Reward):
    def __init__(self, config):
        pass

    def score(self, batch):
        return [RewardResult.ok(1.0) for _ in batch.completions]


class Bad(Good):
    def score(self, batch):
        return []


@pytest.fixture
def registry():
    return harness.Registry.of([("harness-two", Rewards())])


def test_plugins_are_listed_and_found_by_name_and_kind(registry):
    assert [one.name for one in harness.list_plugins("reward", registry=registry)] == ["bad", "good"]
    assert harness.list_plugins("domain", registry=registry) == []
    [found] = harness.find_plugins("harness-two/good", registry=registry)
    assert found.qualified == "harness-two/good"
    with pytest.raises(harness.UsageError, match="no kind is called 'rewards'"):
        harness.list_plugins("rewards", registry=registry)
    with pytest.raises(harness.PluginError, match="no plugin offers 'goood'"):
        harness.find_plugins("goood", registry=registry)


def test_a_check_says_whether_the_contract_is_kept(registry):
    seen = []
    [kept] = harness.check_plugins("good", registry=registry, finished=seen.append)
    assert (kept.outcome, kept.error) == ("kept", None) and seen == [kept]
    [broken] = harness.check_plugins("bad", registry=registry)
    assert broken.outcome == "broken" and isinstance(broken.error, harness.PluginError)


def test_a_diagnosis_and_the_schema_are_json(registry, monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_RUNS", str(tmp_path))
    found = json.loads(json.dumps(harness.diagnose(registry)))
    assert found["runs"]["folder"] == str(tmp_path) and found["plugins"]["failed"] == []
    schema = json.loads(json.dumps(harness.protocol_schema(registry)))
    assert "good" in json.dumps(schema["properties"]["domains"])
