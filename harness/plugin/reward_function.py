"""A reward implemented by a plain function: its columns and its return value."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, PluginError
from harness.plugin.interfaces import Reward, RewardBatch, RewardResult

PROMPT = "prompt"


def broken(function: Callable[..., Any], message: str, hint: str) -> PluginError:
    """Returns an error for an invalid decorated function, with its location."""
    code = getattr(function, "__code__", None)
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    return PluginError(f"{function.__module__}.{function.__qualname__}: {message}{place}", hint=hint)


def check_columns(function: Callable[..., Any]) -> None:
    """Checks the parameters of a reward function. Raises PluginError."""
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        raise broken(function, "it takes no completion", "its first parameter must be the completion text")
    for parameter in parameters[1:]:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise broken(
                function,
                f"it has an unexpected parameter {parameter}",
                "parameters after the completion must be columns of the training row or config keys, by name",
            )


class FunctionReward(Reward):
    """Scores a batch with one function call per completion."""

    def __init__(self, function: Callable[..., Any], name: str, keys: Mapping[str, Any]) -> None:
        first, *parameters = inspect.signature(function).parameters.values()
        self._function, self._name, self._keys = function, name, dict(keys)
        self._completion = first.name
        columns = [one for one in parameters if one.kind is not one.VAR_KEYWORD and one.name not in keys]
        self._columns = tuple(one.name for one in columns)
        self._required = tuple(one.name for one in columns if one.default is one.empty)
        self._takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters)

    def score(self, batch: RewardBatch) -> Sequence[RewardResult] | Awaitable[Sequence[RewardResult]]:
        calls = [
            (completion, self._arguments(prompt, row))
            for prompt, completion, row in zip(batch.prompts, batch.completions, batch.rows, strict=True)
        ]
        if inspect.iscoroutinefunction(self._function):
            return self._awaited(calls)
        return [self._called(completion, arguments) for completion, arguments in calls]

    def _arguments(self, prompt: Any, row: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the function's arguments besides the completion. Raises PluginError for a missing column."""
        known = {**row, PROMPT: prompt}
        missing = [column for column in self._required if column not in known]
        if missing:
            columns = "columns" if len(missing) > 1 else "column"
            raise PluginError(
                f"the reward {self._name!r} reads the {columns} {', '.join(missing)}, missing from the training rows",
                where=f"{self._function.__module__}.{self._function.__qualname__}",
                hint=f"the rows have {', '.join(known)}; choose a reward that fits the domain, or add the column",
            )
        known.pop(self._completion, None)
        chosen = known if self._takes_all else {column: known[column] for column in self._columns if column in known}
        return chosen | self._keys

    def _called(self, completion: str, arguments: Mapping[str, Any]) -> RewardResult:
        try:
            returned = self._function(completion, **arguments)
        except HarnessError:
            raise
        except Exception as error:
            return _failed(error)
        return self._result(returned)

    async def _awaited(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> Sequence[RewardResult]:
        import asyncio

        async def one(completion: str, arguments: Mapping[str, Any]) -> RewardResult:
            try:
                returned = await self._function(completion, **arguments)
            except HarnessError:
                raise
            except Exception as error:
                return _failed(error)
            return self._result(returned)

        return await asyncio.gather(*(one(completion, arguments) for completion, arguments in calls))

    def _result(self, returned: Any) -> RewardResult:
        if isinstance(returned, RewardResult):
            return returned
        if returned is None:
            return RewardResult.abstain(f"{self._function.__qualname__} returned None")
        try:
            if isinstance(returned, str | bytes):
                raise TypeError
            return RewardResult.ok(returned)
        except (TypeError, ValueError):
            raise PluginError(
                f"the reward {self._name!r} returned {returned!r:.80}, which is not a number",
                where=f"{self._function.__module__}.{self._function.__qualname__}",
                hint="return a number, None to abstain, or a harness.RewardResult",
            ) from None


def _failed(error: Exception) -> RewardResult:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return RewardResult.error(f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})")
