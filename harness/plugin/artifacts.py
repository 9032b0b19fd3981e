"""The cache through which steps and probes share measurements of a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from harness.plugin.interfaces import LineageEntry


class ArtifactCache(Protocol):
    """Caches measurements of a checkpoint across steps, probes and runs.

    seed: for the random draws of measurements; the same in all steps and probes of a seed, so that they share results.
    """

    @property
    def seed(self) -> int: ...

    def __call__(
        self,
        name: str,
        make: Callable[[Path], None],
        *,
        checkpoint: LineageEntry,
        domain: str,
        settings: Mapping[str, Any],
    ) -> Path:
        """Returns a read-only folder with the files that `make` wrote; on a cache miss, `make` is called with an empty
        folder.

        The cache key is the name, the checkpoint, the domain and `settings`: JSON data with everything else that the
        result depends on, seeds included. Exceptions of `make` propagate.
        """
        ...


class FormerlyShared:
    """A context whose `cache` was formerly named `shared`."""

    @property
    def shared(self) -> NoReturn:
        raise AttributeError("context.shared was renamed to context.cache")
