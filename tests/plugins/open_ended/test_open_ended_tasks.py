"""The lm-eval tasks of open-ended domains: a judge on this machine scores answers, or compares them with references."""

import json
from pathlib import Path

import pytest
from judge_server import Say, Status, judge_server
from lm_eval import evaluate
from lm_eval.api.model import LM
from pydantic import Field

from harness import StepFailed
from harness.domains import JudgeConfig
from harness.evaluation.lm_eval import load_tasks, measurements
from harness.plugin.interfaces import TaskSet
from harness_domains.open_ended.chat import ChatConfig
from harness_domains.open_ended.config import OpenEndedConfig
from harness_domains.open_ended.creative_writing import PAIR_RUBRIC, TEST_RUBRIC, CreativeWritingConfig
from harness_domains.open_ended.domain import OpenEndedDomain
from harness_domains.open_ended.prompts import held_out

FIXTURE = Path(__file__).parents[2] / "fixtures" / "open_ended" / "creative_writing.jsonl"
ROWS = [json.loads(line) for line in FIXTURE.read_text().splitlines()]
REFERENCES = {row["prompt"]: row["response"] for row in ROWS}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def domain(endpoint="http://127.0.0.1:9/v1", *, config=CreativeWritingConfig, cache=None, **keys):
    judge = {"model": "judge", "endpoint": endpoint, "cache": cache, "attempts": 2, "backoff_s": 0}
    return OpenEndedDomain(config(**({"data_files": FIXTURE, "test_items": 4, "judge": judge} | keys)))


class Writer(LM):
    """Answers each prompt with the same words, and notes how it was asked."""

    def generate_until(self, requests, disable_tqdm=False):
        self.asked = [request.args for request in requests]
        return [f"<think>hm</think>a piece on: {request.args[0]}" for request in requests]

    def loglikelihood(self, requests):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


def evaluated(made, writer=None):
    """Returns the measurements of the domain's task, by metric."""
    results = evaluate(lm=writer or Writer(), task_dict=load_tasks(TaskSet.of(made), seed=0))
    [task] = made.evaluation_tasks()
    return {row["metric"]: row for row in measurements(task, results)}


def request_of(asked):
    return asked.split("<request>\n")[1].split("\n</request>")[0]


def test_answers_to_held_out_prompts_are_scored_by_the_judge(tmp_path):
    def behave(asked, tries):
        return Say("Score: 1" if " story" in request_of(asked) else "Score: 0.5")

    writer = Writer()
    with judge_server(behave) as server:
        made = domain(server.endpoint, cache=tmp_path / "answers.sqlite", completion_tokens=33)
        scores = evaluated(made, writer)
        assert server.requests == 4
        assert evaluated(made) == scores
        assert server.requests == 4, "a second evaluation asks nothing"
    prompts = held_out(made.config)["prompt"][:]
    assert [asked[0] for asked in writer.asked] == prompts
    assert {asked[1]["max_gen_toks"] for asked in writer.asked} == {33}
    expected = sum(1.0 if " story" in prompt else 0.5 for prompt in prompts) / 4
    assert scores["judge_score"]["value"] == pytest.approx(expected)
    assert scores["judge_score"]["stderr"] > 0
    [question, *_] = [body["messages"][0]["content"] for body in server.bodies]
    assert question.startswith(TEST_RUBRIC.split("{prompt}")[0])
    assert "hm</think>" not in question


def test_answers_are_compared_with_the_references_in_both_orders(tmp_path):
    def behave(asked, tries):
        request = request_of(asked)
        one, other = [asked.split(f"<piece {place}>\n")[1].split(f"\n</piece {place}>")[0] for place in "AB"]
        assert {one, other} == {f"a piece on: {request}", REFERENCES[request]}
        if " poem" in request:
            return Say("Better: tie")
        return Say("Better: A" if one.startswith("a piece on") else "Better: B")

    with judge_server(behave) as server:
        made = domain(server.endpoint, cache=tmp_path / "answers.sqlite", scoring="pairwise")
        rows = evaluated(made)
        assert server.requests == 8
        assert evaluated(made) == rows
        assert server.requests == 8, "a second evaluation asks nothing"
        [question, *_] = [body["messages"][0]["content"] for body in server.bodies]
    values = [0.5 if " poem" in prompt else 1.0 for prompt in held_out(made.config)["prompt"]]
    assert len(set(values)) == 2, "both verdicts are among them"
    rate = rows["pairwise_win_rate"]
    assert rate["primary"]
    assert rate["value"] == pytest.approx(sum(values) / 4)
    spread = sum((value - rate["value"]) ** 2 for value in values) / 3
    assert rate["stderr"] == pytest.approx((spread / 4) ** 0.5)
    assert rate["n"] == 4
    assert rows["order_flip_share"]["value"] == 0
    assert not rows["order_flip_share"]["higher_is_better"]
    assert question.startswith(PAIR_RUBRIC.split("{prompt}")[0])


@pytest.mark.parametrize("place", ["A", "B"])
def test_a_judge_that_goes_by_the_place_alone_decides_nothing(place):
    with judge_server(lambda asked, tries: Say(f"Better: {place}")) as server:
        rows = evaluated(domain(server.endpoint, scoring="pairwise"))
    assert rows["pairwise_win_rate"]["value"] == 0.5
    assert rows["order_flip_share"]["value"] == 1


def test_a_server_that_stumbles_is_asked_again():
    with judge_server(lambda asked, tries: Say("Better: tie") if tries else Status(503)) as server:
        rows = evaluated(domain(server.endpoint, scoring="pairwise"))
        assert server.requests == 16
    assert rows["pairwise_win_rate"]["value"] == 0.5


@pytest.mark.parametrize(
    ("scoring", "act", "message", "hint"),
    [
        ("absolute", Say("Hm."), "4 of 4 answers could not be judged", "correct its rubric"),
        ("absolute", Status(400), "4 of 4 answers could not be judged", "is the judge's server up?"),
        ("pairwise", Say("Both have merits."), "Both have merits.", "correct its rubric"),
        ("pairwise", Status(400), "4 of 4 answers could not be judged", "is the judge's server up?"),
    ],
)
def test_answers_that_are_not_judged_fail_the_evaluation(tmp_path, scoring, act, message, hint):
    cache = tmp_path / "answers.sqlite"
    with judge_server(lambda asked, tries: act) as server, pytest.raises(StepFailed) as raised:
        evaluated(domain(server.endpoint, scoring=scoring, cache=cache))
    assert message in raised.value.message
    assert hint in raised.value.hint
    assert (str(cache) in raised.value.hint) == isinstance(act, Say)


def test_one_answer_that_is_not_judged_fails_the_evaluation():
    def behave(asked, tries):
        return Say("Score: 1") if "bus stop" in asked else Status(400)

    with judge_server(behave) as server, pytest.raises(StepFailed, match="could not be judged"):
        evaluated(domain(server.endpoint))


class LetterJudgeConfig(JudgeConfig):
    """A judge with a rubric of its own."""

    rubric: str = Field(default="Is this a letter? {prompt} {completion}")


class LettersConfig(OpenEndedConfig):
    """A preset as a plugin author writes it."""

    judge: LetterJudgeConfig
    reference: str | None = "response"


@pytest.mark.parametrize(
    ("config", "scoring", "task"),
    [
        (LettersConfig, "absolute", "open_ended"),
        (LettersConfig, "pairwise", "open_ended_pairwise"),
        (ChatConfig, "absolute", "chat"),
    ],
)
def test_presets_bring_their_task_and_rubric(config, scoring, task):
    with judge_server(lambda asked, tries: Say("Better: tie" if scoring == "pairwise" else "Score: 0.5")) as server:
        made = domain(server.endpoint, config=config, scoring=scoring, reference="response")
        [row, *_] = evaluated(made).values()
        [question, *_] = [body["messages"][0]["content"] for body in server.bodies]
    assert made.evaluation_tasks()[0].task == task
    assert row["value"] == 0.5
    rubric = made.config.pair_rubric if scoring == "pairwise" else made.config.judge.rubric
    assert question.startswith(rubric.split("{prompt}")[0])
