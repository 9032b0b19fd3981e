"""The judge client: scores in answers, retries, the cache, and the secrecy of the API key."""

import logging
import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_server import DROP, SILENT, Garbage, Say, Status, judge_server
from pydantic import ValidationError

from harness import RewardBatch, UsageError
from harness.domains.judge import JudgeClient, JudgeConfig, JudgeReward, parse_score, without_thinking
from harness.domains.judge.answers import fill, prompt_text

RUBRIC = "{prompt} | {completion}"
KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def client(tmp_path):
    """Returns a function that makes a client of a server; its waits are noted, not waited."""

    def make(server, **keys):
        config = JudgeConfig(
            model="judge", endpoint=server.endpoint, rubric=RUBRIC, cache=tmp_path / "answers.sqlite", **keys
        )
        waits = []
        made = JudgeClient(config, sleep=waits.append, now=lambda: 1_000_000_000.0)
        made.waits = waits
        return made

    return make


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("Well done.\nScore: 1", 1.0),
        ("Score: 0", 0.0),
        ("Score: 0.5", 0.5),
        ("score = .5", 0.5),
        ("**Score:** 0.50", 0.5),
        ("Score: **1.0**.", 1.0),
        ("Score: ½", 0.5),
        ("Score: 1/2", 0.5),
        ("Score: [1]", 1.0),
        ("1", 1.0),
        (" 0.5 ", 0.5),
        ("Score: 0 at first; on a second look\nScore: 1", 1.0),
        ("<think>Score: 0</think>Score: 1", 1.0),
        ("Score: 10", None),
        ("Score: 1/10", None),
        ("Score: 0.75", None),
        ("Score: 1 and then again\nScore: 7", None),
        ("Score: 1 (very good)", 1.0),
        ("Score: 0.5 - fair.", 0.5),
        ("Score: 0, 0.5 or 1?", None),
        ("Score: 1 out of 10", None),
        ("Score: 1%", None),
        ("Score: 01", None),
        ("Score: -1", None),
        ("1 is what I would give", None),
        ("Score:", None),
        ("Score: good", None),
        ("I would give it 1", None),
        ("<think>Score: 1", None),
        ("-1", None),
        ("", None),
    ],
)
def test_a_score_is_read_or_there_is_none(answer, score):
    assert parse_score(answer) == score


@given(st.text())
def test_whatever_a_judge_says_is_a_score_or_none(answer):
    assert parse_score(answer) in (None, 0.0, 0.5, 1.0)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<think>a</think>\n\nb", "b"),
        ("a</think>b", "b"),
        ("<think>a", ""),
        ("b", "b"),
        ("<think>a</think>b<think>c</think>d", "d"),
    ],
)
def test_thinking_is_taken_off(text, left):
    assert without_thinking(text) == left


def test_braces_of_prompt_and_completion_stay():
    filled = fill("{prompt}/{completion}/{other}", prompt="{completion}", completion="{prompt}")
    assert filled == "{completion}/{prompt}/{other}"


def test_messages_become_one_text():
    assert prompt_text([{"role": "user", "content": "Hi"}]) == "Hi"
    two = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert prompt_text(two) == "system: Be brief.\n\nuser: Hi"


def test_a_rubric_has_both_places():
    with pytest.raises(ValidationError, match="no \\{completion\\}"):
        JudgeConfig(model="judge", rubric="{prompt}")


COUNT = 1000
UNREADABLE = 6
VALUES = ("0", "0.5", "1")


FAULTS = {
    1: (1, Status.asking(429, "3")),
    2: (2, Status(500)),
    4: (1, Garbage("<html>busy</html>")),
    5: (1, DROP),
    7: (1, Garbage('{"choices": []}')),
}
"""By a story's last digit: how many tries go wrong, and how. One in a hundred is met with silence at first."""


def misbehave(asked, tries):
    number = int(re.match(r"story (\d+)", asked)[1])
    if number % 10 == UNREADABLE:
        return Say("I cannot say.")
    bad_tries, fault = (1, SILENT) if number % 100 == 3 else FAULTS.get(number % 10, (0, None))
    return fault if tries < bad_tries else Say(f"So so.\nScore: {VALUES[number % 3]}")


def test_a_thousand_completions_through_a_server_that_misbehaves(client):
    prompts, completions = [f"story {n}" for n in range(COUNT)], [f"once upon {n}" for n in range(COUNT)]
    with judge_server(misbehave) as server:
        first = client(server, timeout_s=1.0)
        results = first.scores(prompts, completions)
        asked = server.requests
        second = client(server).scores(prompts, completions)
        assert server.requests == asked
    for number, result in enumerate(results):
        if number % 10 == UNREADABLE:
            assert (result.outcome, result.value) == ("error", None)
            assert "I cannot say." in result.detail
        else:
            assert (result.outcome, result.value) == ("ok", float(VALUES[number % 3]))
    assert second == results
    assert asked >= COUNT + 100 + 200 + 10 + 100 + 100 + 100
    assert sum(wait == 3.0 for wait in first.waits) == 100, "each 429 is waited out as its server asked"


def test_silence_to_the_end_is_a_time_out_and_is_not_kept(client):
    with judge_server(lambda asked, tries: SILENT) as server:
        [result] = client(server, timeout_s=0.05, attempts=2).scores(["p"], ["c"])
        assert (result.outcome, result.value) == ("timeout", None)
        server.behave = lambda asked, tries: Say("Score: 1")
        assert client(server).scores(["p"], ["c"])[0].value == 1.0


@pytest.mark.parametrize(
    ("act", "tries", "detail"),
    [
        (Status(500), 4, "500"),
        (Status.asking(429, "7"), 4, "429"),
        (DROP, 4, "cannot be reached"),
        (Garbage("?"), 4, "did not return a chat completion"),
        (Garbage('{"choices": [{"message": {"content": null}}]}'), 4, "without content"),
        (Status(401), 1, "401"),
        (Status(404), 1, "404"),
        (Status.asking(429, "500"), 1, "longest_wait_s"),
    ],
)
def test_what_does_not_pass_is_an_error(client, act, tries, detail):
    with judge_server(lambda asked, before: act) as server:
        [result] = client(server, attempts=4).scores(["p"], ["c"])
        assert (result.outcome, result.value) == ("error", None)
        assert detail in result.detail
        assert server.requests == tries


def test_waits_double_and_a_date_is_waited_for(client):
    with judge_server(lambda asked, tries: Status(500)) as server:
        patient = client(server, attempts=6, backoff_s=1.0, longest_wait_s=4.0)
        patient.scores(["p"], ["c"])
    for wait, most in zip(patient.waits, (1, 2, 4, 4, 4), strict=True):
        assert most / 2 <= wait <= most
    date = "Sun, 09 Sep 2001 01:47:10 GMT"  # thirty seconds after 1,000,000,000
    with judge_server(lambda asked, tries: Say("1") if tries else Status.asking(503, date)) as server:
        dated = client(server)
        assert dated.scores(["p"], ["c"])[0].value == 1.0
    assert dated.waits == [30.0]


def test_a_dead_server_is_not_asked_for_everything(client):
    with judge_server(lambda asked, tries: Status(500)) as server:
        results = client(server, attempts=2, concurrency=1, give_up_after=3).scores(["p"] * 50, [*map(str, range(50))])
        assert server.requests == 6
    assert {result.outcome for result in results} == {"error"}
    assert "not sent to the judge" in results[-1].detail


def test_a_question_that_comes_twice_is_put_once(client):
    with judge_server(lambda asked, tries: Say("1")) as server:
        results = client(server).scores(["p"] * 8, ["c", "d"] * 4)
        assert server.requests == 2
    assert [result.value for result in results] == [1.0] * 8


@pytest.mark.parametrize(
    "changed", [{"model": "other"}, {"rubric": "{completion} {prompt}"}, {"temperature": 0.5}, {"max_tokens": 5}]
)
def test_another_judge_or_rubric_is_asked_anew(client, changed):
    with judge_server(lambda asked, tries: Say("1")) as server:
        first = client(server)
        first.scores(["p"], ["c"])
        JudgeClient(first.config.model_copy(update=changed)).scores(["p"], ["c"])
        assert server.requests == 2


def test_what_is_sent(client):
    with judge_server(lambda asked, tries: Say("1")) as server:
        client(server, max_tokens=9).scores(
            [[{"role": "user", "content": "Write."}]], ["<think>How?</think>A \ud800 story"]
        )
        [body] = server.bodies
    assert body["path"] == "/v1/chat/completions"
    assert body["messages"] == [{"role": "user", "content": "Write. | A \ud800 story"}]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("judge", 0.0, 9)


def test_the_key_goes_into_the_header_alone(client, monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("JUDGE_KEY", f"{KEY}\n")
    caplog.set_level(logging.DEBUG)
    with judge_server(lambda asked, tries: Say("1") if "good" in asked else Status(401)) as server:
        keyed = client(server, api_key_variable="JUDGE_KEY")
        results = keyed.scores(["p", "p"], ["good", "bad"])
        assert server.keys == {f"Bearer {KEY}"}
    assert [result.outcome for result in results] == ["ok", "error"]
    assert KEY not in caplog.text + str(results) + repr(keyed.config)
    assert KEY.encode() not in (tmp_path / "answers.sqlite").read_bytes()


@pytest.mark.parametrize(("key", "message"), [(None, "JUDGE_KEY"), ("a\x00b", "invalid in a header")])
def test_a_key_that_is_missing_or_broken_is_an_error_without_a_request(client, monkeypatch, key, message):
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    if key is not None:
        monkeypatch.setattr("os.environ", {"JUDGE_KEY": key})
    with judge_server(lambda asked, tries: Say("1")) as server:
        [result] = client(server, api_key_variable="JUDGE_KEY").scores(["p"], ["c"])
        assert server.requests == 0
    assert result.outcome == "error"
    assert message in result.detail
    assert "a\x00b" not in result.detail


def test_a_cache_that_is_no_cache_is_told(client, tmp_path):
    (tmp_path / "answers.sqlite").write_text("not a database, and long enough to be seen as none " * 40)
    with judge_server(lambda asked, tries: Say("1")) as server, pytest.raises(UsageError, match="cannot be used"):
        client(server).scores(["p"], ["c"])


def test_the_cache_holds_hashes_and_answers_only(client, tmp_path):
    with judge_server(lambda asked, tries: Say("Score: 1")) as server:
        client(server).scores(["a secret prompt"], ["a secret story"])
    rows = sqlite3.connect(tmp_path / "answers.sqlite").execute("SELECT * FROM answers").fetchall()
    assert [(len(key), answer) for key, answer in rows] == [(64, "Score: 1")]


def test_the_reward_is_the_score(tmp_path):
    with judge_server(lambda asked, tries: Say("Score: 0.5")) as server:
        reward = JudgeReward(JudgeConfig(model="judge", endpoint=server.endpoint, cache=None))
        batch = RewardBatch(prompts=["p", [{"role": "user", "content": "q"}]], completions=["a", "b"], rows=[{}, {}])
        assert [result.value for result in reward.score(batch)] == [0.5, 0.5]
        assert reward.fingerprint() == f"judge at {server.endpoint}"
