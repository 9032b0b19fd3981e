"""Errors that can be known in advance are reported before the first step, all at once and with their keys."""

from __future__ import annotations

import json

import pytest

from harness.errors import ProtocolError, UsageError
from harness.execution.plugin_instances import PluginInstances
from harness.execution.readiness import faults_before_start, gathered_faults
from harness.planning.planner import make_plan
from harness.plugin.registry import Registry
from harness.protocol import load_protocol
from harness.testing.tiny_world import tiny_checkpoint

REGISTRY = Registry.discover()
RIGHT = {
    "schema": 1,
    "name": "p",
    "model": {"pretrained": "base"},
    "domains": {"d": {"use": "jsonl", "data_files": "rows.jsonl", "completion_tokens": 4}},
    "train": {"steps": 1, "prompts_per_step": 4, "generations": 4},
    "methods": {"m": ["d"]},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture
def faults(tmp_path, base):
    """Returns a function that gives (key, message) of the faults of a protocol changed from the right one."""
    (tmp_path / "base").symlink_to(base)

    def found(rows=None, **changed):
        rows = [{"prompt": f"{n} + 1 =", "answer": str(n + 1)} for n in range(40)] if rows is None else rows
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        path = tmp_path / "p.yaml"
        domain = RIGHT["domains"]["d"] | changed.pop("domain", {})
        path.write_text(json.dumps(RIGHT | {"domains": {"d": domain}} | changed, indent=1))
        protocol = load_protocol(path, REGISTRY)
        protocol.check_here()
        plan, plugins = make_plan(protocol, REGISTRY), PluginInstances(REGISTRY)
        problems = faults_before_start(protocol, plan, list(plan.nodes.values()), plugins, tmp_path / "base")
        assert all(problem.line for problem in problems if problem.key)
        return [(problem.key, problem.message) for problem in problems]

    return found


def test_a_right_protocol_has_none(faults):
    assert faults() == []


def test_chat_prompts_want_a_chat_template(faults):
    assert faults(domain={"format": "chat"}) == [
        (
            "domains.d",
            "the training prompts of d are chat messages, and the base model's tokenizer has no chat template",
        )
    ]


def test_prompts_that_are_mostly_unknown(faults):
    [(key, message)] = faults([{"prompt": f"数学の問題 {n}", "answer": "1"} for n in range(40)])
    assert key == "domains.d"
    assert "unknown to the base model's tokenizer" in message


def test_an_instruction_around_a_readable_problem_may_be_unknown(faults):
    template = "数学の問題を解いてください、丁寧に: {prompt}"
    assert faults(domain={"template": template}) == []
    unread = [{"prompt": f"数学の問題 {n}", "answer": "1"} for n in range(40)]
    assert len(faults(unread, domain={"template": "1 + 1 {prompt}"})) == 1


def test_no_room_for_completions(faults):
    [(_, message)] = faults(domain={"completion_tokens": 80})
    assert "completions up to 80: more than the 64 that the base model takes" in message


def test_no_test_rows_left(faults):
    (where, message), *_ = faults([{"prompt": "1 + 1 =", "answer": "2"}] * 5)
    assert where == "domains.d"
    assert "no test rows are left" in message or "no training rows are left" in message


def test_a_reward_that_can_judge_no_row(faults):
    [(key, message)] = faults(domain={"reward": {"use": "contains", "answer_column": "solution"}})
    assert key == "domains.d"
    assert "training rows of d can be judged" in message


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"completions_per_device": 3}, "d: 16 completions per step cannot be split into passes of 3"),
        ({"trl": {"lr_scheduler_type": "zigzag"}}, "TRL refuses the settings of this step"),
    ],
)
def test_settings_that_trl_refuses(faults, train, message):
    [(_, found)] = faults(train=RIGHT["train"] | train)
    assert message in found


def test_a_task_that_lm_eval_does_not_know(faults):
    tasks = [{"task": "gsm8kk", "metric": "exact_match"}]
    found = faults(
        domain={"use": "math", "source": "gsm8k", "problem_column": "prompt", "answer_form": "whole"}
        | {"stock_tasks": tasks, "format": "plain", "answer_column": "answer"}
    )
    assert ("domains.d", "lm-eval's own tasks: lm-eval does not know the task gsm8kk") in found


def test_a_judge_that_does_not_answer(faults):
    judge = {"model": "m", "endpoint": "http://127.0.0.1:9/v1"}
    rows = [{"prompt": f"Write {n}"} for n in range(80)]
    domain = {"use": "chat", "format": "plain", "judge": judge, "reward": {"use": "judge", **judge}, "test_items": 4}
    found = faults(rows, domain=domain)
    assert {key for key, _ in found} == {"domains.d.judge", "domains.d.reward.judge"}
    assert all("cannot be reached" in message for _, message in found)


def test_every_fault_comes_at_once(faults):
    found = faults(
        domain={"format": "chat", "reward": {"use": "contains", "answer_column": "solution"}},
        train=RIGHT["train"] | {"completions_per_device": 3},
    )
    assert len(found) == 3


def test_several_errors_are_raised_as_one():
    with pytest.raises(ProtocolError) as raised, gathered_faults("p.yaml") as faults:
        for text in ("first", "second"):
            with faults.noted():
                raise UsageError(text)
    assert [problem.message for problem in raised.value.problems] == ["first", "second"]
    assert raised.value.exit_code == 2


def test_one_error_is_raised_as_it_is():
    with pytest.raises(UsageError, match="only") as raised, gathered_faults("p.yaml") as faults, faults.noted():
        raise UsageError("only")
    assert not isinstance(raised.value, ProtocolError)
