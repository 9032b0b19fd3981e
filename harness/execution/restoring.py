"""Whole models of checkpoints that the store keeps in another form: restored when they are read, and dropped again.

They lie outside the results, under `.restored/<key>` of the store. Who reads one holds it, by a lock that any number of
readers share and that ends with its process; only what nobody holds is dropped, so several runs may use one store.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.atomic_file import sync
from harness.checkpoint import check_checkpoint
from harness.checkpoint_forms import KEPT, CheckpointForm
from harness.errors import CheckpointError
from harness.nodes import Node

if TYPE_CHECKING:
    from harness.store import Store

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
            temporary.mkdir(parents=True)
            try:
                form.restore(below, stored, temporary)
                for path in temporary.rglob("*"):
                    sync(path)
                temporary.rename(folder)
                self.made.add(key)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        return folder

    def beside(self, key: str) -> Path:
        """Returns a place, not there yet, for a model that is to be `put`, and holds `key`."""
        self._hold(key)
        self._place(key).parent.mkdir(parents=True, exist_ok=True)
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
            _unlock(descriptor)

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
        descriptor = self._open(key)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        try:
            self._discard(key)
        finally:
            _unlock(descriptor)

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
        return self._place(key).with_name(f"{key}.tmp-{uuid.uuid4().hex}")

    def _hold(self, key: str) -> None:
        if key not in self._held:
            descriptor = self._open(key)
            fcntl.flock(descriptor, fcntl.LOCK_SH)  # waits for who drops it, which does not take long
            self._held[key] = descriptor

    def _open(self, key: str) -> int:
        # Apart from the models: who deletes those by hand does not delete a lock that is held.
        locks = self._store.root / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        return os.open(locks / f"{self._store.path(key).name}.restored", os.O_RDWR | os.O_CREAT, 0o666)


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


def _unlock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # also where a forked process still has the file open
    os.close(descriptor)


def _is_whole(folder: Path) -> bool:
    try:
        check_checkpoint(folder)
    except CheckpointError:
        return False
    return True
