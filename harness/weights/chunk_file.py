"""Stores an array for each chunk of a stream in an unnamed temporary file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from harness.weights.folder import read_into, write_from
from harness.weights.stream import Chunk

_STRIDE = 8
"""Bytes reserved for each weight. Bytes that are not written are holes in the file and take no disk space."""

Array = npt.NDArray[Any]


class ChunkFile:
    """Arrays by chunk. An array takes at most 8 bytes per weight of its chunk and has its own place in the file, so
    several threads can write and read. Its key is the tensor's name and the chunk's start, so the same chunk of a
    longer stream finds it."""

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as this does
        self._held: dict[tuple[str, int], tuple[int, np.dtype[Any], int]] = {}

    def write(self, chunk: Chunk, array: Array) -> None:
        """Stores the array of a chunk."""
        place = _STRIDE * chunk.offset
        if len(array):
            write_from(self._file.fileno(), np.ascontiguousarray(array).data, place)
        self._held[chunk.name, chunk.start] = place, array.dtype, len(array)

    def read(self, chunk: Chunk) -> Array:
        """Returns the array of a chunk. Raises KeyError if none was written."""
        place, dtype, length = self._held[chunk.name, chunk.start]
        array = np.empty(length, dtype=dtype)
        if length:
            read_into(self._file.fileno(), torch.from_numpy(array.view(np.uint8)), place)
        return array

    def has(self, chunk: Chunk) -> bool:
        """Whether an array of the chunk was written."""
        return (chunk.name, chunk.start) in self._held

    def length(self, chunk: Chunk) -> int:
        """Returns how long the array of a chunk is."""
        return self._held[chunk.name, chunk.start][2]
