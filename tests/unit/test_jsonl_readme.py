"""The data and the protocol that the README shows for one's own data work as they stand."""

import re
from pathlib import Path

import pytest

from harness import RewardBatch
from harness.plan import make_plan
from harness.protocol import load_protocol
from harness.registry import Registry
from harness.testing.data_contracts import check_domain
from harness_jsonl.config import JsonlConfig
from harness_jsonl.rules import Contains

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


def test_the_shown_rows_are_trained_on_held_out_and_rewarded(plan):
    registry = Registry.discover(only=["mdrl-harness"])
    lines = Path("mine.jsonl").read_text().splitlines()
    Path("mine.jsonl").write_text("".join(line.replace("?", f", {i}?") + "\n" for i in range(20) for line in lines))
    use = plan.domains["rivers"]
    domain = registry.find("domain", "jsonl").build(JsonlConfig(**dict(use.plugin.config)))
    check_domain(domain)
    rows = domain.training_data(0).to_list()
    reward = registry.find("reward", "contains").build(Contains(**dict(use.reward.config)))
    river = {"Vienna": "the danube.", "Cairo": "the nile."}
    said = [next(answer for city, answer in river.items() if city in row["prompt"]) for row in rows]
    results = reward.score(RewardBatch(prompts=[row["prompt"] for row in rows], completions=said, rows=rows))
    assert {result.value for result in results} == {1.0}
