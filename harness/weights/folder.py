"""The tensors of a model folder: where each is stored, and its values, read without memory mapping."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from harness._util.json_reading import parse_json
from harness.errors import CheckpointError
from harness.weights.model_folder import INDEX, check_checkpoint, weight_files
from harness.weights.tied import may_store_twice, stored_pairs, tied_weights

_COMPARED_AT_ONCE = 1 << 20

DTYPES: dict[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""The dtypes that can be read, by safetensors' names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorPlace:
    """Where a tensor is stored. offset: the byte of `file` at which its values start, in row-major order."""

    file: Path
    offset: int
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """The number of its values."""
        return math.prod(self.shape)


class WeightFolder:
    """The tensors of a folder by name. Opening reads headers only.

    model: False for a folder of tensors that is not a model and has no config.json. copies: whether a weight that is
    stored although the config ties it to another, and has the same bytes, counts as a tensor; otherwise only
    `tied_copies` names it. Raises CheckpointError if a weight file is incomplete, where the index names tensors that
    no file holds, and for a dtype that is not in DTYPES.
    """

    def __init__(self, folder: Path, *, model: bool = True, copies: bool = False) -> None:
        if model:
            check_checkpoint(folder)
        self.folder = folder
        self.files = weight_files(folder) if model else sorted(folder.glob("*.safetensors"))
        self._places: dict[str, TensorPlace] = {}
        for path in self.files:
            header, start = _header(path)
            for name, entry in header.items():
                if entry["dtype"] not in DTYPES:
                    raise CheckpointError(f"{name} has the unknown dtype {entry['dtype']}", where=str(path))
                self._places[name] = TensorPlace(
                    file=path,
                    offset=start + entry["data_offsets"][0],
                    dtype=DTYPES[entry["dtype"]],
                    shape=tuple(entry["shape"]),
                )
        if model:
            self._check_index()
        self.tied_copies = self._copies() if model and not copies else ()
        for name in self.tied_copies:
            del self._places[name]

    def _copies(self) -> tuple[str, ...]:
        """Returns the weights that are stored in addition to the weight that they are tied to, with the same bytes."""
        return tuple(
            target
            for target, source in self.tied_pairs()
            if (self._places[target].shape, self._places[target].dtype)
            == (self._places[source].shape, self._places[source].dtype)
            and _same_bytes(self._places[target], self._places[source])
        )

    def tied_pairs(self) -> list[tuple[str, str]]:
        """Returns the weights that are stored in addition to the weight that the config ties them to, and that weight's
        name."""
        if not may_store_twice(self.folder, [place.shape for place in self._places.values()]):
            return []
        return list(stored_pairs(tied_weights(self.folder), self._places))

    def _check_index(self) -> None:
        if not (self.folder / INDEX).is_file():
            return
        missing = sorted(set(parse_json((self.folder / INDEX).read_bytes())["weight_map"]) - set(self._places))
        if missing:
            raise CheckpointError(
                f"the index names {len(missing)} tensors that no file holds, such as {missing[0]}",
                where=str(self.folder),
                hint="one of the files belongs to another model; fetch or save the model again",
            )

    def names(self) -> list[str]:
        """Returns all tensor names, sorted. A weight's global index counts in this order."""
        return sorted(self._places)

    def names_in(self, path: Path) -> list[str]:
        """Returns the names of the tensors in one weight file."""
        return [name for name, place in self._places.items() if place.file == path]

    def place(self, name: str) -> TensorPlace:
        """Returns where a tensor is stored. Raises CheckpointError for an unknown name."""
        try:
            return self._places[name]
        except KeyError:
            raise CheckpointError(f"the folder has no tensor {name}", where=str(self.folder)) from None

    def shape(self, name: str) -> tuple[int, ...]:
        """Returns a tensor's shape without reading it."""
        return self.place(name).shape

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the shape of every tensor, by name, sorted."""
        return {name: self.shape(name) for name in self.names()}

    def dtype(self, name: str) -> torch.dtype:
        """Returns a tensor's dtype without reading it."""
        return self.place(name).dtype

    def read(self, name: str) -> torch.Tensor:
        """Returns the whole tensor in its own dtype, on the CPU."""
        place = self.place(name)
        values = torch.empty(place.shape, dtype=place.dtype)
        if place.count:
            with place.file.open("rb", buffering=0) as file:
                read_into(file.fileno(), values.flatten().view(torch.uint8), place.offset)
        return values

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        for name in self.names():
            yield name, self.read(name)


def _same_bytes(first: TensorPlace, second: TensorPlace) -> bool:
    size = first.count * first.dtype.itemsize
    with first.file.open("rb", buffering=0) as one, second.file.open("rb", buffering=0) as other:
        for start in range(0, size, _COMPARED_AT_ONCE):
            length = min(_COMPARED_AT_ONCE, size - start)
            if os.pread(one.fileno(), length, first.offset + start) != os.pread(
                other.fileno(), length, second.offset + start
            ):
                return False
    return True


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Returns the entries of a safetensors header by tensor, and the byte at which the data start."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header: dict[str, Any] = parse_json(file.read(length))
    except ValueError as error:
        raise CheckpointError("the safetensors header cannot be read", where=str(path)) from error
    header.pop("__metadata__", None)
    return header, 8 + length


def read_into(descriptor: int, buffer: torch.Tensor, offset: int) -> None:
    """Fills the byte tensor `buffer` from the file's byte `offset` on. Raises CheckpointError if it is shorter."""
    view = buffer.numpy().data
    done = 0
    while done < len(view):
        read = os.preadv(descriptor, [view[done:]], offset + done)
        if read == 0:
            raise CheckpointError("the file ended while it was read: something has truncated it")
        done += read


def write_from(descriptor: int, data: memoryview, offset: int) -> None:
    """Writes all bytes of `data` at the file's byte `offset`."""
    view = data.cast("B")
    done = 0
    while done < len(view):
        done += os.pwrite(descriptor, view[done:], offset + done)
