"""The tier Monty: a subset of Python, interpreted in Rust, without access to the host.

Its results may differ from CPython's (regular expressions, rounding, the order of sets), so nothing falls back to it.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from typing import Any

from harness.domains.sandbox.groups import NOT_RUN, grouped
from harness.domains.sandbox.jobs import Job, Limits, Outcome
from harness.domains.sandbox.plain_data import NotPlainDataError, encode

SECONDS_OF_GRACE = 1.0
# Values that leave Monty are converted: a range or a function would arrive as a string. So types are checked inside.
IS_PLAIN = """
def __is_plain_data(value):
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is float or kind is str or kind is bytes:
        return True
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        return all([__is_plain_data(item) for item in value])
    if kind is dict:
        return all([__is_plain_data(key) and __is_plain_data(item) for key, item in value.items()])
    return False
"""
NAME = "__evaluated"
UNSUPPORTED = "monty cannot run this"
# Errors that CPython might not have raised: a module, a method or a builtin that Monty lacks, no files, no system.
PERHAPS_UNSUPPORTED = (NotImplementedError, ImportError, AttributeError, OSError, TypeError)


class MontySandbox:
    """Runs jobs in a pool of Monty's processes. The outcome is `unsupported` if CPython might have run the code."""

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
        outcomes = [NOT_RUN] * len(jobs)

        def run_group(indices: Sequence[int]) -> None:
            for index in indices:
                outcomes[index] = self.run_one(jobs[index])
                if outcomes[index].kind == "timeout":
                    return

        list(self.threads.map(run_group, grouped(jobs)))
        return outcomes

    def run_one(self, job: Job) -> Outcome:
        """Returns the outcome of one job, in its own session."""
        library = self.library
        limits = library.ResourceLimits(
            max_feed_duration_secs=self.limits.seconds,
            max_memory=self.limits.memory_mebibytes << 20,
            max_total_sleep_secs=self.limits.seconds,
        )
        with ExitStack() as stack:
            try:
                session = stack.enter_context(self.pool.checkout(limits=limits))
            except (library.MontyError, OSError, RuntimeError) as error:
                return Outcome("sandbox-error", detail=f"monty does not start: {error}")
            return self.outcome_in(session, job)

    def outcome_in(self, session: Any, job: Job) -> Outcome:
        """Returns the outcome of a job in a fresh session. Whatever Monty raises for a program is the job's outcome."""
        library = self.library
        printed = library.CollectString(self.limits.output_bytes)
        where = "the code"

        def feed(code: str) -> Any:
            return session.feed_run(code, print_callback=printed)

        try:
            feed(job.code)
            if job.expressions:
                feed(IS_PLAIN)
            values = []
            for index, expression in enumerate(job.expressions):
                where = f"expression {index}"
                values.append(self.value_of(expression, feed))
            return Outcome("ok", tuple(values))
        except Exception as error:
            return self.failed(error, where)

    def value_of(self, expression: str, feed: Callable[[str], Any]) -> Any:
        """Returns the value of one expression. Raises NotPlainDataError if it is not plain data."""
        if feed(f"{NAME} = (\n{expression}\n)\n__is_plain_data({NAME})") is not True:
            raise NotPlainDataError("not plain data")
        value = feed(NAME)
        encode(value, self.limits.output_bytes)  # the same bounds as in the other tiers
        return value

    def failed(self, error: Exception, where: str) -> Outcome:
        """Returns the outcome for an exception of Monty. It is the program's error only if CPython would certainly have
        raised too."""
        library = self.library
        detail = f"{where}: {error}"
        raised = error.exception() if isinstance(error, library.MontyRuntimeError) else error
        if isinstance(raised, TimeoutError) or getattr(error, "timed_out", False):
            return Outcome("timeout", detail=detail)
        if isinstance(error, library.MontySyntaxError):
            return Outcome("compile-error", detail=detail)
        missing = re.search(r"name '(\w+)' is not defined", detail)
        lacks_builtin = missing is not None and hasattr(builtins, missing[1])
        internal = lacks_builtin or "Internal error in monty" in detail
        from_program = isinstance(error, library.MontyRuntimeError | NotPlainDataError)
        if from_program and not internal and not isinstance(raised, PERHAPS_UNSUPPORTED):
            return Outcome("runtime-error", detail=detail)
        return Outcome("unsupported", detail=f"{UNSUPPORTED}: {detail}")

    def close(self) -> None:
        """Stops the pool."""
        self.stack.close()
