"""Work on the chunks of a stream in several threads, with one result whatever their number."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from harness.weights.stream import Chunk, Stream

T = TypeVar("T")

MOST = 8
"""Threads at most: more of them wait for memory and for the disk."""


def over_chunks(
    stream: Stream, start: Callable[[Stream], Callable[[Chunk], T]], *, threads: int | None = None
) -> list[T]:
    """Returns what the work gave for each chunk of the stream, in the order of the chunks.

    start: makes the work of one thread, from a stream with buffers of its own; chunks are dealt out in turn. threads:
    as many as torch computes with unless given, at most `MOST`; each of them computes by itself. The first error ends
    all of them and is raised.
    """
    chunks, allowed = stream.chunks, torch.get_num_threads()
    count = max(1, min(threads or allowed, MOST, len(chunks)))
    results: dict[int, T] = {}
    stop = threading.Event()

    def run(first: int) -> None:
        torch.set_num_threads(1)  # of this thread: its neighbours have the other cores
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
