"""Creative writing: prompts held out, and a task that scores answers through a judge's server on this machine."""

import json
import random
from pathlib import Path

import pytest
from judge_server import Say, Status, judge_server
from lm_eval import evaluate
from lm_eval.api.model import LM
from pydantic import ValidationError

from harness import StepFailed, UsageError
from harness.domains.judge import JudgeReward
from harness.evaluation.lm_eval import load_tasks
from harness.plugin.interfaces import TaskSet
from harness_domains.creative_writing.config import (
    REWARD_RUBRIC,
    TEST_RUBRIC,
    CreativeWritingConfig,
    WritingJudgeConfig,
)
from harness_domains.creative_writing.domain import CreativeWriting

FIXTURE = Path(__file__).parents[1] / "fixtures" / "cw" / "creative_writing.jsonl"
PROMPTS = [json.loads(line)["prompt"] for line in FIXTURE.read_text().splitlines()]


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def domain(endpoint="http://127.0.0.1:9/v1", *, files=FIXTURE, cache=None, **keys):
    judge = {"model": "judge", "endpoint": endpoint, "cache": cache, "attempts": 1}
    return CreativeWriting(CreativeWritingConfig(**({"data_files": files, "test_items": 4, "judge": judge} | keys)))


class Writer(LM):
    """Answers each prompt with the same words, and notes how it was asked."""

    def generate_until(self, requests, disable_tqdm=False):
        self.asked = [request.args for request in requests]
        return [f"<think>hm</think>a piece on: {request.args[0]}" for request in requests]

    def loglikelihood(self, requests):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


def evaluated(made):
    writer = Writer()
    return writer, evaluate(lm=writer, task_dict=load_tasks(TaskSet.of(made), seed=0))


def test_training_prompts_and_held_out_ones_are_all_prompts_and_never_meet():
    made = domain(format="plain")
    trained, held_out = made.training_data(0)["prompt"], made.config.held_out()["prompt"]
    assert len(held_out) == 4
    assert sorted([*trained, *held_out]) == sorted(PROMPTS)


def test_fewer_prompts_are_a_prefix_and_hold_the_same_out():
    whole, some = domain(format="plain"), domain(format="plain", prompts=3)
    assert some.training_data(1)["prompt"][:] == whole.training_data(0)["prompt"][:3]
    assert some.config.held_out()["prompt"][:] == whole.config.held_out()["prompt"][:]


def test_the_order_of_the_rows_and_repeats_do_not_matter(tmp_path):
    rows = FIXTURE.read_text().splitlines()
    random.Random(0).shuffle(rows)
    (tmp_path / "other.jsonl").write_text("\n".join([*rows, *rows[:5]]))
    other = domain(files=tmp_path / "other.jsonl", format="plain")
    assert other.training_data(0)["prompt"][:] == domain(format="plain").training_data(0)["prompt"][:]
    assert other.fingerprint() != domain().fingerprint()


def test_chat_prompts_are_messages_with_the_system_prompt():
    made = domain(system_prompt="You are a poet.")
    system, user = made.training_data(0)[0]["prompt"]
    assert system == {"role": "system", "content": "You are a poet."}
    assert user["content"] in PROMPTS
    assert made.system_prompt == "You are a poet."
    with pytest.raises(ValidationError, match="system_prompt wants format: chat"):
        domain(system_prompt="You are a poet.", format="plain")


def test_the_task_scores_answers_to_held_out_prompts_by_the_judge(tmp_path):
    def behave(asked, tries):
        return Say("Score: 1" if " story" in asked.split("<request>")[1].split("</request>")[0] else "Score: 0.5")

    with judge_server(behave) as server:
        made = domain(server.endpoint, cache=tmp_path / "answers.sqlite", completion_tokens=33)
        writer, results = evaluated(made)
        assert server.requests == 4
        assert evaluated(made)[1]["results"] == results["results"]
        assert server.requests == 4, "a second evaluation asks nothing"
    held_out = made.config.held_out()["prompt"]
    assert [asked[0] for asked in writer.asked] == list(held_out)
    assert {asked[1]["max_gen_toks"] for asked in writer.asked} == {33}
    expected = sum(1.0 if " story" in prompt else 0.5 for prompt in held_out) / 4
    [task] = made.evaluation_tasks()
    assert results["results"][task.task][f"{task.metric},{task.filter}"] == pytest.approx(expected)
    assert "judge_score_stderr,judged" in results["results"][task.task]
    [question, *_] = [body["messages"][0]["content"] for body in server.bodies]
    assert question.startswith(TEST_RUBRIC.split("{prompt}")[0])
    assert "hm</think>" not in question


def test_an_item_without_a_score_is_no_score_of_the_rest():
    with (
        judge_server(lambda asked, tries: Say("Score: 1") if "bus stop" in asked else Status(400)) as server,
        pytest.raises(StepFailed, match="answers have no score"),
    ):
        evaluated(domain(server.endpoint))


def test_answers_that_are_no_scores_are_told_from_a_server_that_is_down(tmp_path):
    with judge_server(lambda asked, tries: Say("Hm.")) as server, pytest.raises(StepFailed) as raised:
        evaluated(domain(server.endpoint, cache=tmp_path / "answers.sqlite"))
    assert "Hm." in raised.value.message
    assert str(tmp_path / "answers.sqlite") in raised.value.hint


def test_the_reward_asks_by_its_own_rubric():
    assert WritingJudgeConfig(model="judge").rubric == REWARD_RUBRIC != TEST_RUBRIC
    assert domain().config.judge.rubric == TEST_RUBRIC
    assert JudgeReward(WritingJudgeConfig(model="judge")).client.config.rubric == REWARD_RUBRIC


def test_relative_files_reach_the_task_as_absolute_ones(monkeypatch):
    monkeypatch.chdir(FIXTURE.parent)
    made = domain(files=Path(FIXTURE.name))
    assert made.task_metadata()["open_ended"]["data_files"] == [str(FIXTURE)]


def test_several_data_sets_are_read_as_one():
    config = domain(files=None, dataset="a/b", revision="c", more_datasets=["d/e"]).config
    assert [(source.dataset, source.revision) for source in config.sources()] == [("a/b", "c"), ("d/e", None)]


def test_a_judge_has_to_be_named():
    with pytest.raises(ValidationError, match="judge"):
        CreativeWritingConfig(data_files=FIXTURE)


@pytest.mark.parametrize(
    ("rows", "keys", "message"),
    [
        ([{"text": "a"}], {}, "no column prompt"),
        ([{"prompt": "a"}, {"prompt": ""}], {}, "the row has '' in"),
        ([{"prompt": "a"}] * 9, {}, "there are 1 prompts, and 4 are to be held out"),
        ([{"prompt": [{"role": "assistant", "content": "a"}]}], {}, "the row has [{"),
    ],
)
def test_data_that_do_not_serve_are_told(tmp_path, rows, keys, message):
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(UsageError) as raised:
        domain(files=tmp_path / "rows.jsonl", **keys).training_data(0)
    assert message in raised.value.message
    assert raised.value.where.startswith(str(tmp_path / "rows.jsonl"))
