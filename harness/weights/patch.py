"""Writes a copy of a checkpoint with some values replaced. Unchanged bytes are copied by the kernel."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import torch

from harness._util.disk_errors import disk_error
from harness._util.files import atomic_directory, sync
from harness.errors import CheckpointError
from harness.weights.folder import TensorPlace, WeightFolder, write_from

_COPIED_AT_ONCE = 1 << 26


class CheckpointCopy:
    """A copy of a checkpoint that is being written, by any number of threads.

    rewritten: the tensors that are written and not copied. Everything else is copied in the background; writes wait for
    that. A file is synced as soon as it is complete.
    """

    def __init__(
        self, source: WeightFolder, folder: Path, rewritten: Collection[str], background: ThreadPoolExecutor
    ) -> None:
        self._source = source
        self._folder = folder
        self._background = background
        self._lock = threading.Lock()
        self._left = {name: source.place(name).count for name in rewritten}
        self._open = {path: sum(1 for name in source.names_in(path) if self._left.get(name)) for path in source.files}
        self._files: dict[Path, IO[bytes]] = {}
        self._copying = background.submit(self._copy)
        self._syncing: list[Future[None]] = []

    def write(self, name: str, values: torch.Tensor, start: int = 0) -> None:
        """Writes `values`, of the tensor's dtype, to the tensor `name` from its flat index `start` on."""
        self._copying.result()
        place = self._source.place(name)
        if values.dtype != place.dtype:
            raise TypeError(f"{name} is of {place.dtype}, not {values.dtype}")
        if not values.numel():
            return
        raw = values.contiguous().flatten().view(torch.uint8)
        write_from(self._files[place.file].fileno(), raw.numpy().data, place.offset + start * place.dtype.itemsize)
        with self._lock:
            self._count(name, place, values.numel())

    def _count(self, name: str, place: TensorPlace, written: int) -> None:
        if name not in self._left:
            return
        self._left[name] -= written
        if self._left[name] == 0:
            self._open[place.file] -= 1
            if self._open[place.file] == 0:
                self._syncing.append(self._background.submit(sync, self._folder / place.file.name))

    def finish(self) -> None:
        """Waits until every file is on the disk. Raises RuntimeError if a rewritten tensor is not complete."""
        self._copying.result()
        unwritten = sorted(name for name, left in self._left.items() if left)
        if unwritten:
            raise RuntimeError(f"{unwritten[0]} was not written completely, or was written more than once")
        for done in self._syncing:
            done.result()
        for path in sorted(self._folder.iterdir()):
            sync(path)  # returns at once for those that are on the disk
        sync(self._folder)

    def close(self) -> None:
        """Closes the files once the background copy has ended."""
        wait([self._copying])
        for file in self._files.values():
            file.close()

    def _copy(self) -> None:
        for path in self._source.files:
            file = (self._folder / path.name).open("xb", buffering=0)
            self._files[path] = file
            file.truncate(path.stat().st_size)
            with path.open("rb", buffering=0) as reading:
                for begin, end in self._copied_ranges(path):
                    _copy_range(reading, file, begin, end)
        weights = {path.name for path in self._source.files}
        for path in sorted(self._source.folder.iterdir()):
            if path.is_file() and path.name not in weights:
                shutil.copy2(path, self._folder / path.name)

    def _copied_ranges(self, path: Path) -> Iterator[tuple[int, int]]:
        """Yields the byte ranges of a file, begin and end, that no rewritten tensor covers."""
        places = [self._source.place(name) for name in self._source.names_in(path) if name in self._left]
        done = 0
        for place in sorted(places, key=lambda place: place.offset):
            if done < place.offset:
                yield done, place.offset
            done = place.offset + place.count * place.dtype.itemsize
        if done < path.stat().st_size:
            yield done, path.stat().st_size


@contextmanager
def patched_copy(source: WeightFolder, output: Path, *, rewritten: Collection[str] = ()) -> Iterator[CheckpointCopy]:
    """Yields a copy of the model folder `source` to write changes to. It becomes `output` when the block ends.

    rewritten: tensors that the block writes completely, each value once; they are not copied. Files, headers, dtypes
    and shapes are the source's. output: missing or an empty folder. The copy is written beside it, synced and renamed,
    so `output` is never incomplete; if the block fails, nothing remains. Raises CheckpointError if `output` is
    not empty or the disk is full.
    """
    if output.is_dir() and any(output.iterdir()):
        raise CheckpointError(
            "the folder is not empty", where=str(output), hint="a checkpoint is never written in place"
        )
    try:
        with atomic_directory(output) as beside, ThreadPoolExecutor(max_workers=1) as background:
            copy = CheckpointCopy(source, beside, rewritten, background)
            try:
                yield copy
                copy.finish()
            finally:
                copy.close()
    except OSError as error:
        fault = disk_error(error, output)
        if fault is None:
            raise
        raise CheckpointError(
            f"the checkpoint cannot be written: {fault.message}", where=str(output), hint=fault.hint
        ) from error


def write_patched(source: WeightFolder, output: Path, patch: Callable[[str, torch.Tensor], torch.Tensor]) -> None:
    """Writes the model folder `source` to `output` with every tensor replaced by `patch(name, tensor)`.

    The returned tensor, of the same shape, is converted to the dtype of the original. output, errors: as for
    `patched_copy`. Memory: one tensor.
    """
    with patched_copy(source, output, rewritten=source.names()) as copy:
        for name, tensor in source:
            copy.write(name, patch(name, tensor).to(tensor.dtype))


def _copy_range(reading: IO[bytes], writing: IO[bytes], begin: int, end: int) -> None:
    """Copies in the kernel, which shares blocks on file systems that can do so; else through memory."""
    source, target = reading.fileno(), writing.fileno()
    try:
        while begin < end:
            copied = os.copy_file_range(source, target, min(end - begin, _COPIED_AT_ONCE), begin, begin)
            if copied == 0:
                break
            begin += copied
    except OSError as error:
        if disk_error(error, Path(writing.name)) is not None:
            raise
    except AttributeError:
        pass  # a system without it
    while begin < end:
        data = os.pread(source, min(end - begin, _COPIED_AT_ONCE), begin)
        if not data:
            raise CheckpointError("the file ended while it was copied: something has truncated it", where=reading.name)
        write_from(target, memoryview(data), begin)
        begin += len(data)
