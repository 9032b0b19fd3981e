"""Runs a function on the chunks of a stream in several threads. The result does not depend on their number."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from harness.weights.stream import Chunk, Stream

T = TypeVar("T")

MOST = 8
"""The most threads: more of them would wait for memory and disk."""


def over_chunks(
    stream: Stream, start: Callable[[Stream], Callable[[Chunk], T]], *, threads: int | None = None
) -> list[T]:
    """Returns the result for each chunk of the stream, in the order of the chunks.

    start: called once by each thread with a stream that has its own buffers; returns the function that is called with
    chunks. threads: by default as many as torch uses, at most `MOST`; torch uses one thread inside each. The first
    error stops all threads and is raised.
    """
    chunks, allowed = stream.chunks, torch.get_num_threads()
    count = max(1, min(threads or allowed, MOST, len(chunks)))
    results: dict[int, T] = {}
    stop = threading.Event()

    def run(first: int) -> None:
        torch.set_num_threads(1)  # in this thread: the other threads use the other cores
        work = start(stream if count == 1 else stream.again())
        for index in range(first, len(chunks), count):
            if stop.is_set():
                return
            results[index] = work(chunks[index])

    try:
        if count == 1:
            run(0)
        else:
            with ThreadPoolExecutor(count) as pool:
                try:
                    for future in [pool.submit(_stopping(stop, run), first) for first in range(count)]:
                        future.result()
                except BaseException:
                    stop.set()
                    raise
    finally:
        torch.set_num_threads(allowed)
    return [results[index] for index in range(len(chunks))]


def _stopping(stop: threading.Event, run: Callable[[int], None]) -> Callable[[int], None]:
    def guarded(first: int) -> None:
        try:
            run(first)
        except BaseException:
            stop.set()
            raise

    return guarded
