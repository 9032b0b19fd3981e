"""What an `EngineSpec` loads into, and the request it is handed; exported by `harness`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class NodeRequest:
    """What an engine is asked to make: one node of a plan, into the store.

    protocol: the file the plan was made from. store: its root. arguments: the command that makes the node anywhere the
    same files are seen (`harness exec-node …`). execute: makes it in this process.
    """

    key: str
    label: str
    needs: frozenset[str]
    protocol: Path
    store: Path
    arguments: Sequence[str]
    execute: Callable[[], None]


class Engine(ABC):
    """Where nodes are executed."""

    @abstractmethod
    def execute(self, request: NodeRequest) -> None:
        """Returns once the store holds the node `request.key`. Raises StepFailed where it cannot be made."""
