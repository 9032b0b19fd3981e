"""Restores full models of checkpoints that the store has in another form, and deletes them after use.

Restored models are in `.restored/<key>` of the store, separate from results. A reader holds a shared lock that ends
with its process. Only models without readers are deleted, so several runs can use one store.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness._util.files import atomic_directory, sync, temporary_beside
from harness._util.locks import SharedHold
from harness._util.permissions import make_shared
from harness.errors import CheckpointError
from harness.planning.node import Node
from harness.weights.model_folder import check_checkpoint
from harness.weights.storage_forms import KEPT, CheckpointForm

if TYPE_CHECKING:
    from harness.execution.store import Store

PLACE = ".restored"


class RestoredModels:
    """The restored models of one store, and the locks on some of them. own_keys: the keys that this object restored."""

    def __init__(self, store: Store) -> None:
        self.own_keys: set[str] = set()
        self._store = store
        self._held: dict[str, SharedHold] = {}

    def folder(self, key: str, form: CheckpointForm, stored: Path, parent: Callable[[], Path]) -> Path:
        """Returns the folder of the full model restored from `stored` (in `form`) and `parent`, and locks it.

        Restores the model unless it exists. Waits if another process is restoring it. Raises CheckpointError if it
        cannot be restored.
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
            self.own_keys.add(key)
        return folder

    def beside(self, key: str) -> Path:
        """Returns a new path for a model that will be passed to `put`, and locks `key`."""
        self._hold(key)
        make_shared(self._place(key).parent, self._store.root)
        return self._temporary(key)

    def put(self, key: str, model: Path) -> None:
        """Moves the folder `model`, at the path from `beside`, to the restored model of `key`, unless it exists. The
        lock of `key` must be held."""
        if not self._place(key).exists():
            model.rename(self._place(key))

    def release(self) -> None:
        """Releases all locks, so that folders returned by `folder` may be deleted."""
        while self._held:
            _, hold = self._held.popitem()
            hold.release()

    def drop(self, keys: Collection[str] | None = None) -> None:
        """Deletes the models of `keys` (by default all) without readers, and the files of killed processes. Ignores
        errors."""
        for key in sorted(self.keys() if keys is None else self.keys().intersection(keys)):
            with suppress(OSError):
                self._drop(key)

    def keys(self) -> set[str]:
        """Returns the keys of the restored models, complete or not."""
        try:
            names = {path.name.partition(".tmp-")[0] for path in (self._store.root / PLACE).iterdir()}
        except OSError:
            return set()
        return {name for name in names if name and not name.startswith(".")}  # file managers create hidden files

    def _drop(self, key: str) -> None:
        with self._store.locks.alone(self._lock_of(key)):
            self._discard(key)

    def _discard(self, key: str) -> None:
        """Deletes the model of `key` and incomplete ones. Requires that it has no other readers or that the store's
        lock of the key is held."""
        folder = self._place(key)
        if folder.exists():
            folder.rename(self._temporary(key))  # so that a kill cannot leave an incomplete model in its place
        for left in folder.parent.glob(f"{key}.tmp-*"):
            shutil.rmtree(left, ignore_errors=True)

    def _place(self, key: str) -> Path:
        return self._store.root / PLACE / self._store.path(key).name

    def _temporary(self, key: str) -> Path:
        return temporary_beside(self._place(key), hidden=False)

    def _hold(self, key: str) -> None:
        if key not in self._held:
            self._held[key] = self._store.locks.hold_shared(self._lock_of(key))

    def _lock_of(self, key: str) -> str:
        return f"{self._store.path(key).name}.restored"


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
