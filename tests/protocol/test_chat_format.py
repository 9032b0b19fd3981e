"""The chat template is applied in scoring if and only if a domain is trained on chat messages."""

import json

import pytest
from small_world import DISTRIBUTION, SmallWorld

from harness import Domain, DomainSpec, hookimpl
from harness.errors import ProtocolError
from harness.planning.nodes import EvaluateNode
from harness.planning.planner import make_plan
from harness.plugin.registry import Registry
from harness.protocol import load_protocol


class Stated(Domain):
    def __init__(self, config):
        pass

    def fingerprint(self):
        return "stated"

    def training_data(self, seed):
        raise NotImplementedError

    def evaluation_tasks(self):
        raise NotImplementedError


def domain(value):
    return type("Domain", (Stated,), {"chat": value})


class Formats:
    @hookimpl
    def harness_domains(self):
        for name, value in (("chatting", True), ("texts", False), ("unsaid", None)):
            yield DomainSpec(name=name, summary="-", reward="win", load=domain(value))


REGISTRY = Registry.of([(DISTRIBUTION, SmallWorld()), ("formats", Formats())])
PROTOCOL = {"schema": 1, "name": "p", "model": {"use": "tiny"}, "methods": {"m": ["a"]}}


def plan_of(folder, chosen=None, **domains):
    evaluate = {} if chosen is None else {"evaluate": {"chat_template": chosen}}
    path = folder / "p.yaml"
    path.write_text(
        json.dumps(PROTOCOL | evaluate | {"domains": {name: {"use": use} for name, use in domains.items()}})
    )
    return make_plan(load_protocol(path, REGISTRY), REGISTRY)


def templates(plan):
    return {n.domain: n.settings.chat_template for n in plan.nodes.values() if isinstance(n, EvaluateNode)}


def test_each_domain_is_scored_as_it_is_trained(tmp_path):
    plan = plan_of(tmp_path, a="chatting", b="texts", c="unsaid")
    assert templates(plan) == {"a": True, "b": False, "c": False}
    assert {name: plan.settings_of(name).chat_template for name in "abc"} == {"a": True, "b": False, "c": False}


def test_the_protocol_decides_for_a_domain_that_does_not_say(tmp_path):
    assert templates(plan_of(tmp_path, True, a="unsaid")) == {"a": True}
    assert templates(plan_of(tmp_path, True, a="unsaid", b="chatting")) == {"a": True, "b": True}


def test_the_key_of_scores_covers_the_resolved_value(tmp_path):
    def keys(*arguments, **domains):
        return set(plan_of(tmp_path, *arguments, **domains).evaluations.popitem()[1].values())

    assert keys(a="unsaid") != keys(True, a="unsaid")
    assert keys(a="unsaid") == keys(False, a="unsaid")
    assert keys(a="chatting") == keys(True, a="chatting")


@pytest.mark.parametrize(("chosen", "use", "prompts"), [(False, "chatting", "chat messages"), (True, "texts", "plain")])
def test_a_contradiction_is_refused_with_the_domain_and_the_key(tmp_path, chosen, use, prompts):
    with pytest.raises(ProtocolError) as refused:
        plan_of(tmp_path, chosen, a="unsaid", b=use)
    [problem] = refused.value.problems
    assert problem.key == "evaluate.chat_template"
    assert "'b'" in problem.message
    assert prompts in problem.message
