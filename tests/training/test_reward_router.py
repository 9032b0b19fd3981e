"""Routing completions to their domain's reward: errors are counted and never become zeros."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import PluginError, Reward, RewardResult, StepFailed, TrainingDomain
from harness.training import RewardRouter
from harness.training.reward_record import WINDOW


class Canned(Reward):
    def __init__(self, answer):
        self.answer = answer
        self.seen = []

    def score(self, batch):
        self.seen.append(batch)
        return self.answer(batch)


def router(max_error_rate=0.05, **answers):
    rewards = {name: Canned(answer) for name, answer in answers.items()}
    domains = [TrainingDomain(name=name, domain=None, reward=reward) for name, reward in rewards.items()]
    return RewardRouter(domains, max_error_rate), rewards


def every(result):
    return lambda batch: [result] * len(batch.completions)


def test_each_row_goes_to_its_own_domain_with_its_columns():
    route, rewards = router(
        a=lambda batch: [RewardResult.ok(float(row["n"])) for row in batch.rows], b=every(RewardResult.ok(-1))
    )
    scores = route(prompts=["p"] * 4, completions=list("wxyz"), domain=["a", "b", "a", "b"], n=[1, 2, 3, 4])
    assert scores == [1.0, -1.0, 3.0, -1.0]
    assert list(rewards["a"].seen[0].completions) == ["w", "y"]


def test_conversational_completions_reach_the_reward_as_text():
    route, rewards = router(a=every(RewardResult.ok(0)))
    route(prompts=["p"], completions=[[{"role": "assistant", "content": "hello"}]], domain=["a"])
    assert list(rewards["a"].seen[0].completions) == ["hello"]


@pytest.mark.parametrize(
    "result", [RewardResult.error("no"), RewardResult.timeout("slow"), RewardResult.abstain("n/a")]
)
def test_what_is_not_a_reward_becomes_none_and_is_counted(result):
    route, _ = router(a=every(result))
    assert route(prompts=["p"] * 3, completions=["c"] * 3, domain=["a"] * 3) == [None] * 3
    assert route.counts["a"] == {result.outcome: 3}


def test_too_many_errors_stop_the_step_and_say_why():
    route, _ = router(a=lambda b: [RewardResult.error("judge is down")] * 2 + [RewardResult.ok(1)] * 18)
    with pytest.raises(StepFailed, match=r"2 of the latest 20 rewards of a failed.*judge is down"):
        route(prompts=["p"] * 20, completions=["c"] * 20, domain=["a"] * 20)


def fails_after(good):
    """Returns an answer with `good` right results, then errors only, whatever the batches."""
    seen = []

    def answer(batch):
        start = len(seen)
        seen.extend(batch.completions)
        return [
            RewardResult.ok(1) if start + index < good else RewardResult.error("judge is down")
            for index in range(len(batch.completions))
        ]

    return answer


def batches(route, count, size=32):
    for _ in range(count):
        route(prompts=["p"] * size, completions=["c"] * size, domain=["a"] * size)


def test_the_rate_of_errors_is_that_of_the_latest_completions():
    route, _ = router(a=fails_after(100 * 32))
    batches(route, 100)
    with pytest.raises(StepFailed, match="32 of the latest 256 rewards of a failed"):
        batches(route, 1)


def test_early_errors_are_forgotten():
    route, _ = router(max_error_rate=0.2, a=lambda b: [RewardResult.error("cold")] * len(b.completions))
    route.max_error_rate = 1.0
    batches(route, 4)
    route.domains["a"].reward.answer = every(RewardResult.ok(1))
    batches(route, 8)
    route.max_error_rate = 0.01
    batches(route, 1)
    assert route.counts["a"] == {"error": 128, "ok": 288}


@given(st.lists(st.integers(1, 300), min_size=1, max_size=12), st.integers(0, 12))
def test_the_window_is_the_same_after_a_resume(sizes, killed_after):
    def counted(resumed):
        route, _ = router(max_error_rate=1.0, a=lambda b: [RewardResult.error("x"), *every(RewardResult.ok(1))(b)[1:]])
        for index, size in enumerate(sizes):
            if resumed and index == killed_after:
                record = json.loads(json.dumps(route.record.as_json()))
                route, _ = router(max_error_rate=1.0, a=route.domains["a"].reward.answer)
                route.go_on_from(record)
            batches(route, 1, size)
        return route.record.latest("a")

    whole = counted(resumed=False)
    assert counted(resumed=True) == whole
    assert whole.total() == sum(sizes) or whole.total() >= WINDOW
    assert whole.total() - min(sizes) < WINDOW + max(sizes)


def test_abstaining_is_no_error():
    route, _ = router(a=every(RewardResult.abstain("not mine")))
    assert route(prompts=["p"] * 40, completions=["c"] * 40, domain=["a"] * 40) == [None] * 40


def test_an_unrouted_row_is_an_error():
    route, _ = router(a=every(RewardResult.ok(1)))
    with pytest.raises(StepFailed, match="'typo'"):
        route(prompts=["p"], completions=["c"], domain=["typo"])
    with pytest.raises(StepFailed, match="no column 'domain'"):
        route(prompts=["p"], completions=["c"])


@pytest.mark.parametrize(
    "answer",
    [
        every(RewardResult("ok", math.nan)),
        every(RewardResult("ok", None)),
        every(RewardResult("ok", "1")),
        every(RewardResult("error", 0.0)),
        every(1.0),
        lambda batch: [],
    ],
)
def test_a_broken_contract_stops_the_step_and_names_the_reward(answer):
    route, _ = router(a=answer)
    with pytest.raises(PluginError, match=r"Canned \(reward of a\)"):
        route(prompts=["p"], completions=["c"], domain=["a"])
