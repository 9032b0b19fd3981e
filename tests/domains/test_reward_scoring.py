"""Asynchronous and synchronous rewards, and errors attributed to the reward."""

import asyncio
import math
import sys
import threading

import pytest

from harness import PluginError, Reward, RewardBatch, RewardResult, StepFailed, TrainingDomain, score_rewards
from harness.domains.scoring import Scoring, finished, score_together, timed_rewards
from harness.training import RewardRouter


class Sync(Reward):
    def __init__(self, score):
        self.score_row = score

    def score(self, batch):
        return [self.score_row(text) for text in batch.completions]


class Meeting(Reward):
    """Answers once `many` rewards wait in one event loop; alone it would wait for ever."""

    def __init__(self, meeting, value):
        self.meeting = meeting
        self.value = value

    async def score(self, batch):
        await self.meeting.wait()
        return [RewardResult.ok(self.value) for _ in batch.completions]


class Barrier:
    """As asyncio.Barrier, but made outside of a loop."""

    def __init__(self, parties):
        self.parties, self.barriers = parties, {}

    async def wait(self):
        loop = asyncio.get_running_loop()
        await self.barriers.setdefault(loop, asyncio.Barrier(self.parties)).wait()


def batch(*completions):
    return RewardBatch(prompts=["p"] * len(completions), completions=completions, rows=[{}] * len(completions))


def test_awaited_rewards_of_several_domains_wait_together_and_keep_their_order():
    meeting = Barrier(2)
    rewards = {
        "b": Meeting(meeting, 1.0),
        "a": Meeting(meeting, 2.0),
        "c": Sync(lambda text: RewardResult.ok(len(text))),
    }
    route = RewardRouter([TrainingDomain(name=n, domain=None, reward=r) for n, r in rewards.items()], 0.05)
    routes = ["a", "b", "c", "a", "b"]
    for _ in range(2):  # a second batch has a loop of its own
        scores = route(prompts=["p"] * 5, completions=["x"] * 5, domain=routes)
        assert scores == [2.0, 1.0, 1.0, 2.0, 1.0]
    assert len(meeting.barriers) == 2
    assert set(route.record.seconds) == {"a", "b", "c"}


def test_a_caller_inside_a_running_loop_is_served_too():
    async def inside():
        return score_rewards(Meeting(Barrier(1), 3.0), batch("x"))

    assert asyncio.run(inside()) == [RewardResult.ok(3.0)]


def test_rewards_that_answer_at_once_start_no_loop(monkeypatch):
    monkeypatch.setattr(asyncio, "run", lambda *_: pytest.fail("a loop was started"))
    assert score_rewards(Sync(lambda text: RewardResult.ok(1)), batch("x", "y")) == [RewardResult.ok(1)] * 2


def test_an_interrupt_while_waiting_reaches_the_caller():
    class Interrupted(Reward):
        async def score(self, batch):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_rewards(Interrupted(), batch("x"))


@pytest.mark.filterwarnings("error")
def test_one_that_fails_leaves_no_other_waiting():
    started = threading.Event()

    class Patient(Reward):
        async def score(self, batch):
            started.set()
            await asyncio.sleep(3600)

    class Broken(Reward):
        def __init__(self, awaited):
            self.score = self.later if awaited else self.now

        def score(self, batch):
            raise NotImplementedError

        def now(self, batch):
            raise KeyError("answer")

        async def later(self, batch):
            raise KeyError("answer")

    def both(awaited):
        rewards = {"patient": Patient(), "broken": Broken(awaited)}
        scorings = [Scoring(name=n, reward=r, batch=batch("x"), label=f"d: {n}") for n, r in rewards.items()]
        return finished(score_together(scorings))

    for awaited in (False, True):
        with pytest.raises(PluginError, match="d: broken: score raised KeyError: 'answer'"):
            both(awaited)
        assert started.is_set() == awaited


async def three(batch):
    return [RewardResult.ok(1)] * 3


@pytest.mark.parametrize(
    ("score", "says"),
    [
        (three, "returned 3 results for 2 completions"),
        (lambda batch: None, "returned None"),
        (lambda batch: "ok", "returned 'ok'"),
        (lambda batch: 1.0, "returned 1.0"),
        (lambda batch: ["good", "bad"], "returned 'good', not a RewardResult"),
        (lambda batch: [0.5, 1.0], "returned 0.5, not a RewardResult"),
        (lambda batch: [RewardResult.ok(math.nan)] * 2, "ok result with the value nan"),
        (lambda batch: [RewardResult.ok(math.inf)] * 2, "ok result with the value inf"),
        (lambda batch: [RewardResult("ok", "1")] * 2, "ok result with the value '1'"),
        (lambda batch: [RewardResult("ok", True)] * 2, "ok result with the value True"),
        (lambda batch: [RewardResult("error", 0.0, "no")] * 2, "outcome error and the value 0.0"),
        (lambda batch: [RewardResult("fine", 0.0)] * 2, "outcome 'fine'"),
        (lambda batch: [RewardResult("ok", 1.0, parts={"a": 1.0})] * 2, "returned 1.0, not a RewardResult"),
        (lambda batch: (RewardResult.ok(float(text)) for text in batch.completions), "raised ValueError"),
        (lambda batch: sys.exit(3), "raised SystemExit"),
    ],
)
def test_a_broken_contract_is_told_in_one_message_that_names_the_plugin(score, says):
    reward = type("Some", (Reward,), {"score": lambda self, batch: score(batch)})()
    with pytest.raises(PluginError, match=says) as raised:
        score_rewards(reward, batch("x", "y"), label="some-dist 1.0: reward 'some'")
    assert raised.value.where == "some-dist 1.0: reward 'some'"
    with pytest.raises(PluginError) as raised:
        score_rewards(reward, batch("x", "y"))
    assert raised.value.where.endswith(".Some")


def test_what_a_reward_says_to_a_person_passes():
    def fail(text):
        raise StepFailed("no GPU", hint="buy one")

    with pytest.raises(StepFailed, match="no GPU"):
        score_rewards(Sync(fail), batch("x"))


def test_times_are_told_of_what_is_scored_inside_alone():
    reward = Sync(lambda text: RewardResult.ok(1))
    with timed_rewards() as seconds:
        score_rewards(reward, batch("x"), label="one")
    score_rewards(reward, batch("x"), label="two")
    assert set(seconds) == {"one"}
    assert seconds["one"] >= 0
