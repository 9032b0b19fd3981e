"""The data and the protocol that the README shows for one's own data work as they stand."""

import re
from pathlib import Path

import pytest

from harness.plan import make_plan
from harness.protocol import load_protocol
from harness.registry import Registry

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SECTION = README.split("## Your own data, from YAML alone")[1].split("\n## ")[0]


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, language in (("mine.jsonl", "json"), ("shown.yaml", "yaml")):
        [block] = re.findall(rf"^```{language}\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
        (tmp_path / name).write_text(block)
    registry = Registry.discover(only=["mdrl-harness"])
    return make_plan(load_protocol(tmp_path / "shown.yaml", registry), registry)


def test_the_shown_protocol_is_planned_with_the_shown_data(plan):
    assert list(plan.domains) == ["math", "rivers"]


def test_its_reward_knows_both_kinds_of_answer():
    from harness_jsonl.rules import Contains

    rule = Contains(ignore_case=True)
    assert rule.judge("It is The Danube.", {"answer": "the Danube"}).value == 1
    assert rule.judge("the nile", {"answer": ["the Nile", "Nile"]}).value == 1
    assert rule.judge("the Danube", {"answer": ["the Nile", "Nile"]}).value == 0
