"""Reads several checkpoints side by side in chunks, into buffers that are allocated once."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy.typing as npt
import torch

from harness.weights.folder import WeightFolder, read_into

CHUNK = 1 << 19
"""Weights per chunk: 2 MiB of fp32, enough that the overhead of an operation on a chunk does not count."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The weights `start` to `start + count` of the flattened tensor `name`; offset: the first one's global index.

    A chunk of a matrix is a number of whole rows, or a part of one row where a row is longer than a chunk.
    """

    name: str
    start: int
    count: int
    offset: int


class Stream:
    """The tensors `names` of several folders, chunk by chunk, in the order of `names`. count: the number of weights.

    The tensors must have the same shapes in all folders; dtypes may differ. Memory: for each folder one chunk in its
    own dtype and one in fp32, whatever the size of the checkpoints.
    """

    def __init__(self, folders: Sequence[WeightFolder], names: Sequence[str], *, chunk: int = CHUNK) -> None:
        self.folders = tuple(folders)
        self.names = tuple(names)
        self._chunk = chunk
        self.chunks = tuple(_chunks(self.folders[0], self.names, chunk))
        self.count = sum(chunk.count for chunk in self.chunks)
        longest = max((chunk.count for chunk in self.chunks), default=0)
        width = [max((folder.dtype(name).itemsize for name in names), default=1) for folder in self.folders]
        self._raw = [torch.empty(longest * size, dtype=torch.uint8) for size in width]
        self._values = [torch.empty(longest, dtype=torch.float32) for _ in self.folders]
        self._files: dict[Path, IO[bytes]] = {}
        self._opening = threading.Lock()

    def again(self) -> Stream:
        """Returns the same stream with its own buffers, for another thread."""
        other = Stream(self.folders, self.names, chunk=self._chunk)
        # A read says where it starts, so all threads can share an open file.
        other._files, other._opening = self._files, self._opening
        return other

    def __iter__(self) -> Iterator[tuple[Chunk, list[torch.Tensor]]]:
        """Yields each chunk with its values in fp32, one tensor per folder; the next chunk overwrites them."""
        for chunk in self.chunks:
            yield chunk, self.read(chunk)

    def read(self, chunk: Chunk) -> list[torch.Tensor]:
        """Returns the chunk's values in fp32, one tensor [chunk.count] per folder; the next read overwrites them."""
        return [self.values(index, chunk) for index in range(len(self.folders))]

    def values(self, index: int, chunk: Chunk) -> torch.Tensor:
        """Returns the chunk's values in the folder `index`, in fp32."""
        return self.in_fp32(index, self.raw(index, chunk))

    def in_fp32(self, index: int, raw: torch.Tensor) -> torch.Tensor:
        """Returns values that `raw` read from the folder `index`, in fp32."""
        if raw.dtype == torch.float32:
            return raw
        return self._values[index][: raw.numel()].copy_(raw)

    def raw(self, index: int, chunk: Chunk) -> torch.Tensor:
        """Returns the chunk's values in the folder `index`, in their own dtype."""
        place = self.folders[index].place(chunk.name)
        size = place.dtype.itemsize
        buffer = self._raw[index][: chunk.count * size]
        if chunk.count:
            read_into(self._descriptor(place.file), buffer, place.offset + chunk.start * size)
        return buffer.view(place.dtype)

    def bits(self, index: int, chunk: Chunk) -> npt.NDArray[Any]:
        """Returns the bits of the values that were last read from the folder `index`, as unsigned integers of the same
        size. chunk: the chunk that was read."""
        size = self.folders[index].dtype(chunk.name).itemsize
        return self._raw[index][: chunk.count * size].numpy().view(f"u{size}")

    def _descriptor(self, path: Path) -> int:
        with self._opening:  # else a second open would close the first thread's file
            if path not in self._files:
                self._files[path] = path.open("rb", buffering=0)  # closed with the last stream that shares them
            return self._files[path].fileno()


def _chunks(folder: WeightFolder, names: Collection[str], longest: int) -> Iterator[Chunk]:
    offset = 0
    for name in names:
        shape = folder.shape(name)
        count = folder.place(name).count
        row = shape[-1] if len(shape) > 1 else 1
        for start, length in _pieces(count, row, longest):
            yield Chunk(name, start, length, offset + start)
        offset += count


def _pieces(count: int, row: int, longest: int) -> Iterator[tuple[int, int]]:
    if row <= longest:
        step = longest // row * row if row else longest
        for start in range(0, count, step):
            yield start, min(step, count - start)
        return
    for first in range(0, count, row):
        for start in range(first, first + row, longest):
            yield start, min(longest, first + row - start)
