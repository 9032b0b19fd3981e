"""The interface of engines and the request they execute; exported by `harness`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.plugin.interfaces import Progress

if TYPE_CHECKING:
    from harness.plugin.capacity import Capacity


def _ignore(text: str) -> None:
    """Ignores a message."""


def _no_progress(done: int, total: int, metrics: object) -> None:
    """Ignores progress."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a node needs while it runs.

    gpus: per machine; None leaves the number to the engine. cpus: per machine; None leaves the number to the engine.
    processes: per machine, of a training that `launch` starts in several processes. machines: of such a training.
    """

    gpus: int | None = None
    cpus: int | None = None
    processes: int = 1
    machines: int = 1


@dataclass(frozen=True, kw_only=True)
class NodeRequest:
    """One node of a plan that an engine executes; its result goes to the store.

    key: the key of the node. label: its name in messages. kind: `train`, `recover`, `merge`, `state`, `evaluate` or
    `probe`. seed: the seed of the run that the node belongs to. needs: what the node's plugins need, such as `network`.
    protocol: the protocol file of the plan. store: the root of the store.

    arguments: a command (`harness exec-node …`) that executes this node on any machine with access to the same files.
    worker: a command (`harness exec-worker …`) that executes many nodes of the plan, one after another. execute:
    executes the node in this process.

    run: the folder of the run, where an engine may keep files of its own in a folder with its name.

    resources: what the node needs. parameters: the number of parameters of the base model, None if it is unknown.
    expected_seconds: an estimate of the duration on one machine, right to the order of magnitude; None if unknown.

    started: to be called when the execution begins, with the name of the place, which may be empty. progress: to be
    called with (done, total, metrics). note: prints a message. All three may be called from any thread.
    """

    key: str
    label: str
    needs: frozenset[str]
    protocol: Path
    store: Path
    arguments: Sequence[str]
    execute: Callable[[], None]
    kind: str = ""
    seed: int = 0
    worker: Sequence[str] = ()
    resources: Resources = field(default_factory=Resources)
    parameters: int | None = None
    expected_seconds: float | None = None
    run: Path | None = None
    started: Callable[[str], None] = _ignore
    progress: Progress = _no_progress
    note: Callable[[str], None] = _ignore


class Engine(ABC):
    """Executes nodes. A simple engine implements `execute` only; one that runs several nodes at once also overrides
    `slots` and `submit`."""

    @abstractmethod
    def execute(self, request: NodeRequest) -> None:
        """Returns when the node `request.key` is in the store. Raises StepFailed if its execution fails, WorkerLost if
        the process or machine that executed it is gone."""

    @property
    def slots(self) -> int | None:
        """How many requests may be submitted and not finished at a time; None if the engine has a queue of its own."""
        return 1

    def check(self, requests: Sequence[NodeRequest]) -> None:  # noqa: B027 an engine may take everything
        """Is called once before anything is submitted, with all nodes to execute. Raises UsageError if they cannot be
        executed, for example if they need more GPUs than there are. `slots` is read afterwards."""

    def capacity(self, requests: Sequence[NodeRequest]) -> Capacity | None:
        """Returns what the engine has for nodes, for the estimates of `harness plan`; None, as by default, if it cannot
        tell. It executes and starts nothing. requests: the nodes to execute. Raises UsageError if what it has cannot be
        looked up. Only `close` is called afterwards."""
        return None

    def submit(self, request: NodeRequest) -> Future[None]:
        """Starts the execution of a node and returns its future, whose exception is that of `execute`.

        By default it calls `execute` and returns a finished future. KeyboardInterrupt is raised, not stored.
        """
        future: Future[None] = Future()
        request.started("")
        try:
            self.execute(request)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(None)
        return future

    def close(self, *, stop: bool) -> None:  # noqa: B027 an engine may have nothing to end
        """Is called once at the end of the run. stop: the run was interrupted, so everything that still runs has to end
        within 5 seconds, in a state from which it can be resumed."""
