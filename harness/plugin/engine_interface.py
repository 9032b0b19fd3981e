"""The interface of engines and the request they execute; exported by `harness`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class NodeRequest:
    """One node of a plan that an engine executes; its result goes to the store.

    protocol: the protocol file of the plan. store: the root of the store. arguments: a command (`harness exec-node …`)
    that executes the node on any machine with access to the same files. execute: executes it in this process.
    """

    key: str
    label: str
    needs: frozenset[str]
    protocol: Path
    store: Path
    arguments: Sequence[str]
    execute: Callable[[], None]


class Engine(ABC):
    """Executes nodes."""

    @abstractmethod
    def execute(self, request: NodeRequest) -> None:
        """Returns when the node `request.key` is in the store. Raises StepFailed if its execution fails."""
