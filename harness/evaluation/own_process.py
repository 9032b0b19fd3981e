"""Scores in a process of its own, which gives back all memory when it ends: for vLLM and SGLang."""

from __future__ import annotations

import atexit
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from harness._util.memory import REMEDY
from harness._util.parent_process import end_with
from harness.errors import StepFailed

_processes: list[ProcessPoolExecutor] = []
"""The process of this one, empty if there is none."""


def in_own_process(function: Callable[..., None], *arguments: Any) -> None:
    """Calls a function in the scoring process, which is started if necessary and keeps its model for the next call.

    Raises the function's error, StepFailed if the process ends.
    """
    if not _processes:
        context = multiprocessing.get_context("spawn")
        _processes.append(
            ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=end_with, initargs=(os.getpid(),))
        )
    try:
        _processes[0].submit(function, *arguments).result()
    except BrokenProcessPool as error:
        end_own_process()
        raise StepFailed("the process that scores ended, probably out of memory", hint=REMEDY) from error


@atexit.register
def end_own_process() -> None:
    """Ends the scoring process, if there is one."""
    while _processes:
        _processes.pop().shutdown(cancel_futures=True)
