"""Whether the sandbox that a plan needs works on this machine is known before the first step."""

import json
from pathlib import Path

import pytest

from harness import UsageError
from harness.planning.checks import check_needs
from harness.planning.planner import make_plan
from harness.plugin.registry import Registry
from harness.protocol import load_protocol

FIXTURES = Path(__file__).parents[1] / "fixtures" / "code"


def plan_with(tmp_path, sandbox):
    files = {
        "data_files": str(FIXTURES / "mbpp_train.jsonl"),
        "mbpp": {"data_files": str(FIXTURES / "mbpp_test.jsonl")},
    }
    reward = {"use": "code-tests", "sandbox": sandbox}
    code = {"use": "code", "preset": "mbpp", "tasks": ["mbpp"], "sandbox": sandbox, "reward": reward, **files}
    protocol = {"schema": 1, "name": "p", "model": {"use": "lab-tiny"}, "allow": ["executes-code"]}
    protocol |= {"domains": {"code": code}, "train": {"with": "grpo"}, "methods": {"a": ["code"]}}
    path = tmp_path / "p.yaml"
    path.write_text(json.dumps(protocol))
    registry = Registry.discover()
    return make_plan(load_protocol(path, registry), registry)


@pytest.mark.parametrize("tier", ["auto", "bubblewrap"])
def test_a_sandbox_that_does_not_work_is_told_before_the_first_step(tmp_path, monkeypatch, tier):
    plan = plan_with(tmp_path, {"tier": tier})
    monkeypatch.setattr("harness.domains.sandbox.bubblewrap.shutil.which", lambda program: None)
    with pytest.raises(UsageError, match="bwrap") as raised:
        check_needs(list(plan.nodes.values()), plan, {})
    assert "code" in raised.value.where
    assert "tier: monty" in raised.value.hint


def test_a_plan_without_code_that_is_left_to_run_needs_no_sandbox(tmp_path, monkeypatch):
    plan = plan_with(tmp_path, {"tier": "bubblewrap"})
    monkeypatch.setattr("harness.domains.sandbox.bubblewrap.shutil.which", lambda program: None)
    check_needs([], plan, {})


def test_a_sandbox_that_works_is_no_obstacle(tmp_path):
    plan = plan_with(tmp_path, {"tier": "subprocess", "allow_unsafe": True})
    check_needs(list(plan.nodes.values()), plan, {})
