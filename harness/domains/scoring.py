"""Calls synchronous and asynchronous rewards, and checks their results.

Errors name the reward and its plugin: an exception, a wrong number of results, an invalid result. Synchronous rewards
are called one after the other; asynchronous ones wait concurrently.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from inspect import isawaitable, iscoroutine
from typing import Any, get_args

from harness.domains.reward_limits import NO_LIMITS, CallLimits, CallTimedOut
from harness.errors import HarnessError, PluginError
from harness.plugin.interfaces import Outcome, Reward, RewardBatch, RewardResult

Results = list[RewardResult]


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """A batch to score with a reward. name: used in metrics. label: names the plugin in messages."""

    name: str
    reward: Reward
    batch: RewardBatch
    label: str = ""
    limits: CallLimits = NO_LIMITS

    def timed_out(self) -> Results:
        """Returns the results of an abandoned call."""
        detail = f"the reward took longer than reward_timeout, {self.limits.seconds:g} s"
        return [RewardResult.timeout(detail) for _ in self.batch.completions]


@dataclass(frozen=True)
class _Awaited:
    """The awaitable that an asynchronous reward returned."""

    scoring: Scoring
    returned: Awaitable[Any]

    async def results(self) -> Results:
        import asyncio

        limits = self.scoring.limits
        with _timed(self.scoring.name), _faults_of(self.scoring), limits.watching(_where(self.scoring)):
            try:
                async with asyncio.timeout(limits.seconds) as limit:
                    results = await self.returned
            except TimeoutError:
                if not limit.expired():  # the reward's own
                    raise
                return self.scoring.timed_out()
            return _checked(results, self.scoring)


def score_rewards(reward: Reward, batch: RewardBatch, *, label: str = "") -> Results:
    """Returns one valid result per row, in order, from a synchronous or asynchronous reward.

    label: names the reward's plugin. Raises PluginError if the reward raises or breaks its contract, and any
    HarnessError that the reward raises.
    """
    scoring = Scoring(name=label or _class_of(reward), reward=reward, batch=batch, label=label)
    return finished(score_together([scoring]))[0]


def score_together(scorings: Sequence[Scoring]) -> list[Results] | Awaitable[list[Results]]:
    """Returns the results of each, in order; an awaitable of them if one of the rewards is asynchronous.

    Raises like `score_rewards`.
    """
    begun: list[Results | _Awaited] = []
    try:
        for scoring in scorings:
            begun.append(_begun(scoring))
    except BaseException:
        for other in begun:
            if isinstance(other, _Awaited) and iscoroutine(other.returned):
                other.returned.close()
        raise
    done = [results for results in begun if isinstance(results, list)]
    return done if len(done) == len(begun) else _all_of(begun)


def finished(results: list[Results] | Awaitable[list[Results]]) -> list[Results]:
    """Returns the results; an awaitable is run in its own event loop."""
    if isinstance(results, list):
        return results
    import asyncio  # slow to import, and few rewards need it
    from concurrent.futures import ThreadPoolExecutor

    awaited = results

    async def wait() -> list[Results]:
        return await awaited

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    with ThreadPoolExecutor(
        1, thread_name_prefix="rewards"
    ) as thread:  # a loop already runs in this thread, as in a notebook
        return thread.submit(copy_context().run, asyncio.run, wait()).result()


@contextmanager
def timed_rewards() -> Iterator[dict[str, float]]:
    """Yields the wall time in seconds of each reward scored inside, by name; `whole/part` for a part of a composite.

    The time of an asynchronous reward includes its whole wait.
    """
    seconds: dict[str, float] = {}
    token = _clock.set((seconds, ""))
    try:
        yield seconds
    finally:
        _clock.reset(token)


_clock: ContextVar[tuple[dict[str, float], str]] = ContextVar("clock")


@contextmanager
def _timed(name: str) -> Iterator[None]:
    seconds, above = _clock.get(({}, ""))
    path = f"{above}/{name}" if above else name
    token = _clock.set((seconds, path))
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds[path] = seconds.get(path, 0.0) + time.perf_counter() - start
        _clock.reset(token)


def _begun(scoring: Scoring) -> Results | _Awaited:
    limits = scoring.limits
    with _timed(scoring.name), _faults_of(scoring), limits.watching(_where(scoring)):
        try:
            returned = limits.call(lambda: scoring.reward.score(scoring.batch))
        except CallTimedOut:
            return scoring.timed_out()
        if not isawaitable(returned):
            return _checked(returned, scoring)
    return _Awaited(scoring, returned)


async def _all_of(begun: Sequence[Results | _Awaited]) -> list[Results]:
    import asyncio

    waiting = iter(await asyncio.gather(*(each.results() for each in begun if isinstance(each, _Awaited))))
    return [next(waiting) if isinstance(each, _Awaited) else each for each in begun]


@contextmanager
def _faults_of(scoring: Scoring) -> Iterator[None]:
    """Converts an exception of the reward into a PluginError that names it; a HarnessError passes."""
    try:
        yield
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        lines = str(error).strip().splitlines()
        raise PluginError(
            f"score raised {type(error).__name__}{': ' + lines[-1] if lines else ''}",
            where=_where(scoring),
            hint="return RewardResult.error(detail) for a faulty row, never raise; --debug shows the traceback",
        ) from error


def _checked(returned: Any, scoring: Scoring) -> Results:
    """Returns the results as a list. Raises PluginError unless they are one valid result per row."""
    where = _where(scoring)
    if not isinstance(returned, Iterable) or isinstance(returned, str | bytes | Mapping):
        raise PluginError(f"score returned {returned!r:.80}, not a list of RewardResult", where=where)
    results, expected = list(returned), len(scoring.batch.completions)
    if len(results) != expected:
        raise PluginError(
            f"returned {len(results)} results for {expected} completions",
            where=where,
            hint="score returns one RewardResult per row, in order",
        )
    for result in results:
        _check(result, where)
    return results


def _check(result: Any, where: str) -> None:
    if not isinstance(result, RewardResult):
        raise PluginError(
            f"returned {result!r:.80}, not a RewardResult",
            where=where,
            hint="return RewardResult.ok(value), or .abstain, .error or .timeout with a detail",
        )
    if result.outcome not in get_args(Outcome):
        raise PluginError(f"returned a result with the outcome {result.outcome!r:.80}", where=where)
    value = result.value
    if result.outcome != "ok":
        if value is not None:
            raise PluginError(
                f"returned a result with the outcome {result.outcome} and the value {value!r:.80}",
                where=where,
                hint="only an ok result has a value",
            )
    elif not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise PluginError(
            f"returned an ok result with the value {value!r:.80}",
            where=where,
            hint="the value must be a finite number; if there is none, return RewardResult.error(detail)",
        )
    if not isinstance(result.parts, Mapping):
        raise PluginError(f"returned a result whose parts are {result.parts!r:.80}", where=where)
    for part in result.parts.values():
        _check(part, where)


def _where(scoring: Scoring) -> str:
    return scoring.label or f"reward {_class_of(scoring.reward)}"


def _class_of(reward: Reward) -> str:
    return f"{type(reward).__module__}.{type(reward).__name__}"
