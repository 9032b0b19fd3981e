"""Whole models of checkpoints that the store keeps in another form: restored when they are read, and dropped again.

They lie outside the results, under `.restored/<key>` of the store. Who reads one holds it, by a lock that any number of
readers share and that ends with its process; only what nobody holds is dropped, so several runs may use one store.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness._util.files import atomic_directory, sync, temporary_beside
from harness._util.locks import alone, hold_shared, release
from harness._util.permissions import make_shared
from harness.errors import CheckpointError
from harness.planning.node import Node
from harness.weights.model_folder import check_checkpoint
from harness.weights.storage_forms import KEPT, CheckpointForm

if TYPE_CHECKING:
    from harness.execution.store import Store

PLACE = ".restored"


class RestoredModels:
    """The restored models of one store, some of which this object's user holds. made: the keys of those it restored."""

    def __init__(self, store: Store) -> None:
        self.made: set[str] = set()
        self._store = store
        self._held: dict[str, int] = {}

    def folder(self, key: str, form: CheckpointForm, stored: Path, parent: Callable[[], Path]) -> Path:
        """Returns the folder of the whole model that `stored`, kept in `form`, makes of `parent`, and holds it.

        Made unless it is there; another process that makes it is waited for. Raises CheckpointError where it cannot
        be made.
        """
        self._hold(key)
        folder = self._place(key)
        if _is_whole(folder):
            return folder
        below = parent()
        with self._store.lock(key):
            if _is_whole(folder):
                return folder
            self._discard(key)
            temporary = self._temporary(key)
            make_shared(temporary, self._store.root)
            with atomic_directory(folder, temporary=temporary):
                form.restore(below, stored, temporary)
                for path in temporary.rglob("*"):
                    sync(path)
            self.made.add(key)
        return folder

    def beside(self, key: str) -> Path:
        """Returns a place, not there yet, for a model that is to be `put`, and holds `key`."""
        self._hold(key)
        make_shared(self._place(key).parent, self._store.root)
        return self._temporary(key)

    def put(self, key: str, model: Path) -> None:
        """Makes the folder `model`, which lies `beside`, the restored one of `key`, whose lock is held, unless there
        is one."""
        if not self._place(key).exists():
            model.rename(self._place(key))

    def release(self) -> None:
        """Holds nothing any more: what `folder` returned may go."""
        while self._held:
            _, descriptor = self._held.popitem()
            release(descriptor)

    def drop(self, keys: Collection[str] | None = None) -> None:
        """Removes the models of `keys`, of all unless given, that nobody holds, and what killed processes left. What
        cannot be removed stays."""
        for key in sorted(self.keys() if keys is None else self.keys().intersection(keys)):
            with suppress(OSError):
                self._drop(key)

    def keys(self) -> set[str]:
        """Returns the keys of the models that are there, whole or not."""
        try:
            names = {path.name.partition(".tmp-")[0] for path in (self._store.root / PLACE).iterdir()}
        except OSError:
            return set()
        return {name for name in names if name and not name.startswith(".")}  # file managers leave files of their own

    def _drop(self, key: str) -> None:
        with alone(self._lock_of(key)):
            self._discard(key)

    def _discard(self, key: str) -> None:
        """Removes the model of `key` and torn ones. Either nobody else holds it or the store's lock of it is held."""
        folder = self._place(key)
        if folder.exists():
            folder.rename(self._temporary(key))  # so that a kill in the middle leaves no half of a model in its place
        for left in folder.parent.glob(f"{key}.tmp-*"):
            shutil.rmtree(left, ignore_errors=True)

    def _place(self, key: str) -> Path:
        return self._store.root / PLACE / self._store.path(key).name

    def _temporary(self, key: str) -> Path:
        return temporary_beside(self._place(key), hidden=False)

    def _hold(self, key: str) -> None:
        if key not in self._held:
            self._held[key] = hold_shared(self._lock_of(key))

    def _lock_of(self, key: str) -> Path:
        # Apart from the models: who deletes those by hand does not delete a lock that is held.
        return self._store.lock_file(f"{self._store.path(key).name}.restored")


def soonest(restored: Collection[str], later: Iterable[Node], most: int = KEPT) -> set[str]:
    """Returns the keys among `restored` that the `later` nodes, in their order, read first; at most `most`."""
    kept: set[str] = set()
    for node in later:
        for key in reversed(node.parents):
            if len(kept) == min(most, len(restored)):
                return kept
            if key in restored:
                kept.add(key)
    return kept


def _is_whole(folder: Path) -> bool:
    try:
        check_checkpoint(folder)
    except CheckpointError:
        return False
    return True
