"""Runs the missing nodes of a plan on an engine: each when the nodes that it needs are stored, several at a time.

The engine's futures, and what its workers report, arrive in one queue, so that everything else happens in one thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

from harness._util.disk_errors import StoreForbidden, StoreFull
from harness._util.signals import raise_if_terminated
from harness.errors import HarnessError, PluginError, WorkerLost, internal_error
from harness.execution.store import Store
from harness.planning.dependents import dependent_nodes, first_needed
from harness.planning.node import Node
from harness.planning.plan import Plan
from harness.planning.schedule import Frontier
from harness.plugin.engine_interface import Engine, NodeRequest

_SECONDS_BETWEEN_LOOKS = 1.0
"""How often a signal is looked for whose exception was lost, for example in a destructor."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A node that failed."""

    node: Node
    error: HarnessError


@dataclass(kw_only=True)
class Walk:
    """The state of a run. left: nodes that were skipped because a node that they need has failed."""

    executed: int = 0
    failures: list[Failure] = field(default_factory=list)
    left: list[Node] = field(default_factory=list)
    unavailable: set[str] = field(default_factory=set)


class Listener(Protocol):
    """Is called for what happens to nodes, in the thread of the dispatcher."""

    def started(self, node: Node, worker: str) -> None: ...

    def progress(self, node: Node, done: int, total: int, metrics: Mapping[str, float]) -> None: ...

    def note(self, text: str) -> None: ...

    def finished(self, node: Node, seconds: float, error: HarnessError | None) -> None: ...

    def found(self, node: Node) -> None: ...

    def stopped_by(self, node: Node, error: HarnessError) -> HarnessError: ...


class Dispatcher:
    """Runs nodes of one plan. It calls everything in the thread of `run`; only the engine has threads of its own."""

    def __init__(self, plan: Plan, engine: Engine, store: Store, listener: Listener) -> None:
        self._plan = plan
        self._engine = engine
        self._store = store
        self._listener = listener
        self._messages: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._running: set[str] = set()
        self._began: dict[str, float] = {}
        self._submitted_again: set[str] = set()

    def callbacks(self, node: Node) -> dict[str, Callable[..., None]]:
        """Returns the functions of a node's request through which an engine reports, from any thread."""

        def progress(done: int, total: int, metrics: Mapping[str, float]) -> None:
            self._send(partial(self._listener.progress, node, done, total, metrics))

        return {
            "started": lambda worker: self._send(partial(self._started, node, worker)),
            "progress": progress,
            "note": lambda text: self._send(partial(self._listener.note, text)),
        }

    def run(self, requests: Mapping[str, NodeRequest], durations: Mapping[str, float], walk: Walk) -> None:
        """Executes the nodes that are requested, and counts them in `walk`.

        requests: by key, in the order of execution where nothing else decides. durations: by key, in any unit; the
        node with the longest remaining path starts first. A failed node stops only those that need it. Raises
        StoreFull or StoreForbidden if the disk fails, KeyboardInterrupt if the run is interrupted.
        """
        self._thread, self._requests, self._walk = threading.get_ident(), requests, walk
        self._frontier = Frontier(first_needed(self._plan, requests), durations)
        slots = self._engine.slots
        while self._frontier or self._running:
            raise_if_terminated()
            if self._frontier and (slots is None or len(self._running) < slots):
                self._submit_next()
            else:
                self._handle_message()

    def _send(self, message: Callable[[], None]) -> None:
        """Handles a message at once in the dispatcher's own thread, where an engine may execute a node."""
        if threading.get_ident() == self._thread:
            message()
        else:
            self._messages.put(message)

    def _handle_message(self) -> None:
        try:
            message = self._messages.get(timeout=_SECONDS_BETWEEN_LOOKS)
        except Empty:
            return
        message()

    def _submit_next(self) -> None:
        key = self._frontier.next()
        assert key is not None
        node = self._plan.nodes[key]
        if key in self._walk.unavailable or self._walk.unavailable.intersection(node.parents):
            self._walk.unavailable.add(key)
            self._walk.left.append(node)
            self._frontier.done(key)
        elif self._store.has(key):  # another process or, for a state, its training computed it in the meantime
            self._listener.found(node)
            self._frontier.done(key)
        else:
            self._submit(key)

    def _submit(self, key: str) -> None:
        self._running.add(key)
        future = self._engine.submit(self._requests[key])
        future.add_done_callback(lambda ended: self._messages.put(partial(self._ended, key, ended)))

    def _started(self, node: Node, worker: str) -> None:
        self._began[node.key] = time.monotonic()
        if node.key not in self._submitted_again:
            self._listener.started(node, worker)

    def _ended(self, key: str, future: Future[None]) -> None:
        node = self._plan.nodes[key]
        if key not in self._began:
            self._started(node, "")
        error = self._error_of(node, future)
        if isinstance(error, WorkerLost) and key not in self._submitted_again:
            self._submitted_again.add(key)
            self._listener.note(f"{node.label}: {error.message}; it is started once more")
            self._submit(key)
            return
        self._running.discard(key)
        if isinstance(error, StoreFull | StoreForbidden):
            raise self._listener.stopped_by(node, error) from error
        if error is None:
            self._walk.executed += 1
        else:
            self._walk.failures.append(Failure(node=node, error=error))
            self._walk.unavailable |= {key, *dependent_nodes(node, self._plan)}
        self._frontier.done(key)
        self._listener.finished(node, time.monotonic() - self._began[key], error)

    def _error_of(self, node: Node, future: Future[None]) -> HarnessError | None:
        try:
            error = future.exception()
        except CancelledError:
            return WorkerLost("the engine cancelled the step", where=node.label)
        if isinstance(error, HarnessError):
            return error
        if isinstance(error, Exception):
            internal = internal_error(error, where=node.label)
            internal.__cause__ = error
            return internal
        if error is not None:
            raise error
        if not self._store.has(node.key):
            return PluginError(
                f"the engine {type(self._engine).__name__} returned, and the store lacks what it was asked for",
                where=node.label,
                hint="an engine returns only once the store holds the node",
            )
        return None
