"""Slow calls of a reward are shown, and end as a time-out after the time limit."""

import asyncio
import threading
from types import SimpleNamespace

import pytest
from rich.console import Console

from harness import Reward, RewardBatch, RewardResult, StepFailed, TrainingDomain
from harness.domains.reward_limits import CallLimits
from harness.errors import PluginError
from harness.execution.progress import PlainReporter, shown_metrics
from harness.plugin.interfaces import WAITING_FOR
from harness.training import RewardRouter

LONG = 60.0  # never waited for: a test that reaches it has failed
SHORT = 0.02


class Blocking(Reward):
    """Waits for an event before it answers."""

    def __init__(self):
        self.go = threading.Event()

    def score(self, batch):
        self.go.wait(LONG)
        return [RewardResult.ok(1.0) for _ in batch.completions]


class Awaited(Reward):
    cancelled = False

    async def score(self, batch):
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            self.cancelled = True
            raise


class OwnTimeout(Reward):
    async def score(self, batch):
        raise TimeoutError("the server does not answer")


class Quick(Reward):
    def score(self, batch: RewardBatch):
        if "raise" in batch.completions:
            raise ValueError("a fault")
        return [RewardResult.ok(float(len(text))) for text in batch.completions]


def routed(reward, limits, *, max_error_rate=1.0, completions=("a", "bb")):
    router = RewardRouter([TrainingDomain(name="go", domain=None, reward=reward)], max_error_rate, limits)
    prompts = [""] * len(completions)
    return router, lambda: router(prompts=prompts, completions=list(completions), domain=["go"] * len(completions))


@pytest.mark.parametrize("kind", [Blocking, Awaited])
def test_a_call_is_given_up_after_its_time(kind):
    reward = kind()
    router, call = routed(reward, CallLimits(seconds=SHORT))
    assert call() == [None, None]
    assert router.counts["go"] == {"timeout": 2}
    if kind is Awaited:
        assert reward.cancelled
    else:
        reward.go.set()


def test_time_outs_stop_a_step_as_errors_do():
    reward = Blocking()
    _, call = routed(reward, CallLimits(seconds=SHORT), max_error_rate=0.5, completions=["a"] * 20)
    with pytest.raises(StepFailed, match="20 of the latest 20 rewards of go failed") as caught:
        call()
    assert "reward_timeout, 0.02 s" in str(caught.value)
    reward.go.set()


@pytest.mark.parametrize("seconds", [None, LONG])
def test_a_quick_call_is_as_without_a_limit(seconds):
    _, call = routed(Quick(), CallLimits(seconds=seconds))
    assert call() == [1.0, 2.0]
    _, call = routed(Quick(), CallLimits(seconds=seconds), completions=["raise"])
    with pytest.raises(PluginError, match="score raised ValueError: a fault"):
        call()
    _, call = routed(OwnTimeout(), CallLimits(seconds=seconds))
    with pytest.raises(PluginError, match="score raised TimeoutError: the server does not answer"):
        call()


def test_a_slow_call_is_named_while_it_runs(monkeypatch):
    monkeypatch.setattr("harness.domains.reward_limits.SLOW_SECONDS", SHORT)
    reward, told = Blocking(), []

    def slow(label, seconds):
        told.append(label)
        reward.go.set()

    _, call = routed(reward, CallLimits(slow=slow))
    assert call() == [1.0, 1.0]
    assert told[0].endswith("Blocking (reward of go)")


def test_a_reward_that_is_waited_for_is_shown_at_once(capsys):
    metrics = {f"{WAITING_FOR}judge (reward of cw)": 61.4}
    assert shown_metrics(metrics) == "waiting for judge (reward of cw) for 61 s"
    reporter = PlainReporter(Console(width=80))
    node = SimpleNamespace(key="k")
    reporter.name("k", "[1/2] train cw")
    reporter.progress(node, 0, 60, metrics)
    assert capsys.readouterr().out == "[1/2] train cw: 0/60  waiting for judge (reward of cw) for 61 s\n"
