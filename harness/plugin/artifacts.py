"""What a step or probe measures of a checkpoint and others may need too: how a plugin asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from harness.plugin.interfaces import LineageEntry


class ArtifactCache(Protocol):
    """Keeps what is measured of a checkpoint, so that whoever needs it again, in this run or another, has it."""

    def __call__(
        self,
        name: str,
        make: Callable[[Path], None],
        *,
        checkpoint: LineageEntry,
        domain: str,
        settings: Mapping[str, Any],
    ) -> Path:
        """Returns a folder, only to be read, with what `make` has written to the empty folder it is given.

        `settings` is JSON data and names all, beside the checkpoint and the domain, that the result depends on, seeds
        too: the same ones give the same folder. What `make` raises passes through.
        """
        ...


class FormerlyShared:
    """A context whose `cache` was named `shared` before."""

    @property
    def shared(self) -> NoReturn:
        raise AttributeError("context.shared is named context.cache now")
