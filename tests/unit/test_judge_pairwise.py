"""Comparisons by a judge: verdicts read from answers, both orders asked, what a place is worth."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_server import Say, Status, judge_server
from lm_eval import evaluate
from lm_eval.api.model import LM
from pydantic import ValidationError

from harness import StepFailed, UsageError
from harness.domains.judge import JudgeClient, JudgeConfig
from harness.domains.judge.verdicts import Comparison, pair_question, parse_verdict
from harness.evaluation.lm_eval import load_tasks, measurements
from harness.plugin.interfaces import TaskSet
from harness_domains.chat.config import ChatConfig
from harness_domains.chat.domain import Chat
from harness_domains.creative_writing.config import PAIR_RUBRIC, CreativeWritingConfig
from harness_domains.creative_writing.domain import CreativeWriting

FIXTURES = Path(__file__).parents[1] / "fixtures"
FIXTURE = FIXTURES / "cw" / "creative_writing.jsonl"
ROWS = [json.loads(line) for line in FIXTURE.read_text().splitlines()]
REFERENCES = {row["prompt"]: row["response"] for row in ROWS}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("A is stock, B is not.\nBetter: B", "second"),
        ("Better: A", "first"),
        ("better = a tie", None),
        ("Better: tie", "tie"),
        ("**Better:** A", "first"),
        ("**Better: B**", "second"),
        ("Better: *B*.", "second"),
        ("Better: [A]", "first"),
        ("Verdict: B", "second"),
        ("Winner: piece A", "first"),
        ("Better: the second", "second"),
        ("Better: Neither", "tie"),
        ("Better: Both", "tie"),
        ("Better: draw", "tie"),
        ("Better: B, with a stronger ending", "second"),
        ("Better: A (stronger than B)", "first"),
        ("Better: A, because B drags", "first"),
        ("Better: A at first; on a second look\nBetter: B", "second"),
        ("<think>Better: A</think>Better: B", "second"),
        ("My verdict is [[B]]", "second"),
        ("[[A]], no: [[C]]", "tie"),
        ("[[tie]]", "tie"),
        ("A", "first"),
        (" **B** ", "second"),
        ("Tie.", "tie"),
        ("Better: A, B or tie", None),
        ("Better: A or B", None),
        ("Better: A/B", None),
        ("Better: A and B", None),
        ("Better: Apple", None),
        ("Better: 7", None),
        ("Better:", None),
        ("A is better than B", None),
        ("A good piece, both of them", None),
        ("<think>Better: A", None),
        ("", None),
    ],
)
def test_a_verdict_is_read_or_there_is_none(answer, verdict):
    assert parse_verdict(answer) == verdict


@given(st.text())
def test_any_answer_is_a_verdict_or_none(answer):
    assert parse_verdict(answer) in {"first", "second", "tie", None}


@given(st.text(alphabet="{}prompfisecond AB"), st.text(alphabet="{}prompfisecond"), st.text(alphabet="{}prompfisecond"))
def test_each_text_gets_its_place_and_no_other(prompt, first, second):
    expected = "\x00".join((prompt, first, second))
    assert pair_question("{prompt}\x00{first}\x00{second}", prompt, first, second) == expected


@pytest.mark.parametrize(
    ("text_first", "reference_first", "value", "flipped"),
    [
        ("first", "second", 1.0, False),
        ("second", "first", 0.0, False),
        ("tie", "tie", 0.5, False),
        ("first", "first", 0.5, True),
        ("second", "second", 0.5, True),
        ("first", "tie", 0.5, True),
        ("tie", "first", 0.5, True),
    ],
)
def test_a_text_wins_where_it_does_in_both_orders(text_first, reference_first, value, flipped):
    compared = Comparison(text_first=text_first, reference_first=reference_first)
    assert (compared.value, compared.flipped) == (value, flipped)


def parts(asked):
    """Returns the request and the two pieces of a question."""
    return [asked.split(f"<{name}>\n")[1].split(f"\n</{name}>")[0] for name in ("request", "piece A", "piece B")]


def domain(endpoint="http://127.0.0.1:9/v1", *, cache=None, **keys):
    judge = {"model": "judge", "endpoint": endpoint, "cache": cache, "attempts": 2, "backoff_s": 0}
    settings = {"data_files": FIXTURE, "test_items": 4, "judge": judge, "scoring": "pairwise"} | keys
    return CreativeWriting(CreativeWritingConfig(**settings))


class Writer(LM):
    """Answers each prompt with the same words."""

    def generate_until(self, requests, disable_tqdm=False):
        return [f"<think>hm</think>a piece on: {request.args[0]}" for request in requests]

    def loglikelihood(self, requests):
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


def evaluated(made):
    """Returns the measurements of the domain's task, by metric."""
    results = evaluate(lm=Writer(), task_dict=load_tasks(TaskSet.of(made), seed=0))
    [task] = made.evaluation_tasks()
    return {row["metric"]: row for row in measurements(task, results)}


def test_answers_are_compared_with_the_references_in_both_orders(tmp_path):
    def behave(asked, tries):
        request, one, other = parts(asked)
        assert {one, other} == {f"a piece on: {request}", REFERENCES[request]}
        if " poem" in request:
            return Say("Better: tie")
        return Say("Better: A" if one.startswith("a piece on") else "Better: B")

    with judge_server(behave) as server:
        made = domain(server.endpoint, cache=tmp_path / "answers.sqlite")
        rows = evaluated(made)
        assert server.requests == 8
        assert evaluated(made) == rows
        assert server.requests == 8, "a second evaluation asks nothing"
        [question, *_] = [body["messages"][0]["content"] for body in server.bodies]
    held_out = made.config.held_out()["prompt"]
    values = [0.5 if " poem" in prompt else 1.0 for prompt in held_out]
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
        rows = evaluated(domain(server.endpoint))
    assert rows["pairwise_win_rate"]["value"] == 0.5
    assert rows["order_flip_share"]["value"] == 1


def test_a_server_that_stumbles_is_asked_again():
    with judge_server(lambda asked, tries: Say("Better: tie") if tries else Status(503)) as server:
        rows = evaluated(domain(server.endpoint))
        assert server.requests == 16
    assert rows["pairwise_win_rate"]["value"] == 0.5
    assert rows["order_flip_share"]["value"] == 0


@pytest.mark.parametrize(
    ("act", "message", "hint"),
    [
        (Say("Both have merits."), "4 of 4 answers have no verdict", "mend its rubric"),
        (Status(400), "4 of 4 answers have no verdict", "is the judge's server up?"),
    ],
)
def test_a_pair_without_a_verdict_is_no_score_of_the_rest(act, message, hint):
    with judge_server(lambda asked, tries: act) as server, pytest.raises(StepFailed) as raised:
        evaluated(domain(server.endpoint))
    assert message in raised.value.message
    assert hint in raised.value.hint


def test_thinking_is_taken_off_both_texts_and_equal_pairs_are_asked_once():
    rubric = "{prompt}|{first}|{second}"
    with judge_server(lambda asked, tries: Say("Better: A")) as server:
        config = JudgeConfig(model="judge", endpoint=server.endpoint, cache=None).model_copy(update={"rubric": rubric})
        told = JudgeClient(config).comparisons(["p"] * 2, ["<think>h</think>one"] * 2, ["<think>x</think>two"] * 2)
        assert sorted(server.tries) == ["p|one|two", "p|two|one"]
        assert server.requests == 2
    assert told == [Comparison(text_first="first", reference_first="first")] * 2


def test_a_file_of_references_takes_the_place_of_the_datas_own(tmp_path):
    path = tmp_path / "references.jsonl"
    own = [{"prompt": prompt, "piece": f"My own on {prompt}"} for prompt in REFERENCES]
    path.write_text("\n".join(map(json.dumps, own)))
    made = domain(reference="piece", reference_file=path)
    rows = made.config.held_out()
    assert [row["reference"] for row in rows] == [f"My own on {row['prompt']}" for row in rows]
    assert made.fingerprint() != domain().fingerprint()
    path.write_text(json.dumps(own[0]))
    with pytest.raises(UsageError) as raised:
        made.config.held_out()
    assert "held-out prompts have no reference" in raised.value.message
    assert str(path) in raised.value.where


def test_a_missing_column_of_references_is_told_with_those_that_there_are():
    with pytest.raises(UsageError) as raised:
        domain(reference="completion").config.held_out()
    assert "no column completion; they have prompt, response, metadata" in raised.value.message


def test_references_of_chat_are_the_assistants_last_message(tmp_path):
    prompts = [f"question {number}" for number in range(6)]
    reply = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a reply"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({"prompt": p, "chosen": reply}) for p in prompts))
    keys = {"data_files": tmp_path / "rows.jsonl", "test_items": 4, "judge": {"model": "judge"}, "scoring": "pairwise"}
    made = Chat(ChatConfig(**keys, reference="chosen"))
    assert set(made.config.held_out()["reference"]) == {"a reply"}
    assert load_tasks(TaskSet.of(made), seed=0)["tasks"].keys() == {"chat_pairwise"}
    with pytest.raises(ValidationError, match="wants `reference`"):
        ChatConfig(**keys)


def test_a_rubric_of_pairs_needs_all_three_places():
    with pytest.raises(ValidationError, match=r"no \{second\}"):
        domain(pair_rubric="{prompt} {first}")


def test_what_is_held_out_and_trained_on_does_not_hang_on_the_scoring():
    one, other = domain(format="plain"), domain(format="plain", scoring="absolute")
    assert one.config.held_out()["prompt"][:] == other.config.held_out()["prompt"][:]
    assert one.training_data(0)["prompt"][:] == other.training_data(0)["prompt"][:]
