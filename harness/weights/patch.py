"""Writes a checkpoint that is another one with some of its values replaced: a copy by the kernel, then the changes."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import torch

from harness.atomic_file import sync
from harness.errors import CheckpointError
from harness.store import disk_error
from harness.weights.folder import WeightFolder, write_from

_COPIED_AT_ONCE = 1 << 26


class CheckpointCopy:
    """A copy of a checkpoint in the making. The weights are copied in the background; what is written waits for it."""

    def __init__(self, source: WeightFolder, folder: Path, copying: Future[None]) -> None:
        self._source = source
        self._folder = folder
        self._copying = copying
        self._files: dict[Path, IO[bytes]] = {}

    def write(self, name: str, values: torch.Tensor, start: int = 0) -> None:
        """Replaces coordinates of the tensor `name`, from its flat index `start` on; `values` are of its dtype."""
        self._copying.result()
        place = self._source.place(name)
        if values.dtype != place.dtype:
            raise TypeError(f"{name} is of {place.dtype}, not {values.dtype}")
        if not values.numel():
            return
        if place.file not in self._files:
            self._files[place.file] = (self._folder / place.file.name).open("rb+", buffering=0)
        raw = values.contiguous().flatten().view(torch.uint8)
        write_from(self._files[place.file].fileno(), raw, place.offset + start * place.dtype.itemsize)

    def finish(self) -> None:
        """Returns once every file is on the disk."""
        self._copying.result()
        for file in self._files.values():
            file.close()
        for path in sorted(self._folder.iterdir()):
            sync(path)
        sync(self._folder)


@contextmanager
def patched_copy(source: WeightFolder, output: Path) -> Iterator[CheckpointCopy]:
    """Yields a copy of the model folder `source` to write changes to; `output` is the result when the block ends well.

    Files, headers, dtypes and shapes are the source's. `output` is not there, or an empty folder: the copy is made
    beside it, synced, and renamed to it, so nobody sees half of one, and nothing is left of one that failed. Raises
    CheckpointError where `output` has something in it, or the disk is full.
    """
    if output.is_dir() and any(output.iterdir()):
        raise CheckpointError(
            "the folder is not empty", where=str(output), hint="a checkpoint is never written in place"
        )
    beside = output.with_name(f".{output.name}.tmp-{uuid.uuid4().hex}")
    try:
        beside.mkdir(parents=True)
        with ThreadPoolExecutor(max_workers=1) as background:
            copy = CheckpointCopy(source, beside, background.submit(_copy_files, source, beside))
            yield copy
            copy.finish()
        beside.replace(output)
        sync(output.parent)
    except OSError as error:
        told = disk_error(error, output)
        if told is None:
            raise
        raise CheckpointError(
            f"the checkpoint cannot be written: {told.message}", where=str(output), hint=told.hint
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)  # gone already where it was renamed


def write_patched(source: WeightFolder, output: Path, patch: Callable[[str, torch.Tensor], torch.Tensor]) -> None:
    """Copies the model folder `source` to `output`, each tensor passed through `patch(name, tensor)`.

    What `patch` returns is written in the tensor's dtype. `output` and errors as for `patched_copy`; the source is only
    read. One tensor at a time is held.
    """
    with patched_copy(source, output) as copy:
        for name, tensor in source:
            copy.write(name, patch(name, tensor).to(tensor.dtype))


def _copy_files(source: WeightFolder, folder: Path) -> None:
    weights = {path.name for path in source.files}
    for path in source.files:
        _copy(path, folder / path.name)
    for path in sorted(source.folder.iterdir()):
        if path.is_file() and path.name not in weights:
            shutil.copy2(path, folder / path.name)


def _copy(source: Path, target: Path) -> None:
    """Copies in the kernel, which shares the blocks on file systems that can; by shutil where it cannot."""
    with source.open("rb", buffering=0) as reading, target.open("xb", buffering=0) as writing:
        left = os.fstat(reading.fileno()).st_size
        try:
            while left:
                copied = os.copy_file_range(reading.fileno(), writing.fileno(), min(left, _COPIED_AT_ONCE))
                if copied == 0:
                    break
                left -= copied
        except (OSError, AttributeError) as error:
            if writing.tell() or (isinstance(error, OSError) and disk_error(error, target) is not None):
                raise
    if left:
        shutil.copyfile(source, target)
