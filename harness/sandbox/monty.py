"""Monty: a subset of Python, interpreted in Rust, with no way to the host. What it lacks is no candidate's fault."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from typing import Any

from harness.sandbox.jobs import Job, Limits, Outcome
from harness.sandbox.plain_data import NotPlainDataError, encode

SECONDS_OF_GRACE = 1.0
# What leaves Monty is converted: a range or a function would arrive as a string. So the types are told apart inside.
IS_PLAIN = """
def __is_plain_data(value):
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is float or kind is str:
        return True
    if kind is list or kind is tuple or kind is set:
        return all([__is_plain_data(item) for item in value])
    if kind is dict:
        return all([__is_plain_data(key) and __is_plain_data(item) for key, item in value.items()])
    return False
"""
NAME = "__evaluated"
# Errors that CPython might not have raised: a module, a method or a builtin that Monty lacks, no files, no system.
PERHAPS_UNSUPPORTED = (NotImplementedError, ImportError, AttributeError, OSError, TypeError)


class MontySandbox:
    """Runs jobs in a pool of Monty's processes; `sandbox-error` with `UNSUPPORTED` where Monty cannot say."""

    UNSUPPORTED = "monty cannot run this"

    def __init__(self, limits: Limits, workers: int) -> None:
        self.library = import_module("pydantic_monty")  # an optional dependency
        self.limits = limits
        self.stack = ExitStack()
        self.pool = self.stack.enter_context(
            self.library.Monty(
                min_processes=workers,
                max_processes=workers,
                request_timeout=limits.seconds + SECONDS_OF_GRACE,
                feed_duration_limit_grace=SECONDS_OF_GRACE,
            )
        )
        self.threads = self.stack.enter_context(ThreadPoolExecutor(workers))

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Returns the outcomes in the order of `jobs`."""
        return list(self.threads.map(self.run_one, jobs))

    def run_one(self, job: Job) -> Outcome:
        """Returns the outcome of one job, in a session of its own."""
        library = self.library
        limits = library.ResourceLimits(
            max_feed_duration_secs=self.limits.seconds,
            max_memory=self.limits.memory_mebibytes << 20,
            max_total_sleep_secs=self.limits.seconds,
        )
        printed = library.CollectString(self.limits.output_bytes)
        where = "the code"
        try:
            with self.pool.checkout(limits=limits) as session:

                def feed(code: str) -> Any:
                    return session.feed_run(code, print_callback=printed)

                feed(job.code)
                if job.expressions:
                    feed(IS_PLAIN)
                values = []
                for index, expression in enumerate(job.expressions):
                    where = f"expression {index}"
                    values.append(self.value_of(expression, feed))
                return Outcome("ok", tuple(values))
        except NotPlainDataError as error:
            return Outcome("runtime-error", detail=f"{where}: {error}")
        except library.MontyCrashedError as error:
            if error.timed_out:
                return Outcome("timeout", detail=str(error))
            return Outcome("sandbox-error", detail=f"{self.UNSUPPORTED}: {error}")
        except library.MontySyntaxError as error:
            return Outcome("compile-error", detail=f"{where}: {error}")
        except library.MontyError as error:
            return self.failed(error.exception(), f"{where}: {error}")

    def value_of(self, expression: str, feed: Callable[[str], Any]) -> Any:
        """Returns the value of one expression. Raises NotPlainDataError where it is none that may leave."""
        if feed(f"{NAME} = (\n{expression}\n)\n__is_plain_data({NAME})") is not True:
            raise NotPlainDataError("not plain data")
        value = feed(NAME)
        encode(value, self.limits.output_bytes)  # the same bounds as in the other tiers
        return value

    def failed(self, error: BaseException, detail: str) -> Outcome:
        """Returns a runtime error only where CPython would surely have had one too."""
        if isinstance(error, TimeoutError):
            return Outcome("timeout", detail=detail)
        missing = re.search(r"name '(\w+)' is not defined", detail)
        lacks_builtin = missing is not None and hasattr(builtins, missing[1])
        if isinstance(error, PERHAPS_UNSUPPORTED) or "Internal error in monty" in detail or lacks_builtin:
            return Outcome("sandbox-error", detail=f"{self.UNSUPPORTED}: {detail}")
        return Outcome("runtime-error", detail=detail)

    def close(self) -> None:
        """Ends the pool."""
        self.stack.close()
