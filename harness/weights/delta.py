"""Checkpoints kept as what differs from their parent, and restored to the same files, bit for bit.

A delta is a folder: `delta.json`, with the sha256 of the parent's weight files and of the files to be restored;
`delta.bin`, the changes; and under `files/` everything that is no weight. `delta.bin` holds, for each weight file, its
safetensors header and then its values chunk by chunk: which ones changed, as a bitmap or as the gaps between them,
whichever is smaller, or all; and the changed values' bits against the parent's (exclusive or), byte planes apart, since
the high bytes of a small edit are mostly zero. All of it deflated. A tensor that the parent does not have in that shape
and dtype is stored against zeros.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import torch

from harness.atomic_file import sync
from harness.errors import CheckpointError
from harness.weights.folder import DTYPES, TensorPlace, WeightFolder, read_into

MARKER = "delta.json"
_CHANGES = "delta.bin"
_FILES = "files"
_FORMAT = 1
_CHUNK = 1 << 20
_RECORD = struct.Struct("<BIII")  # how positions are told, how many values changed, bytes of positions, of values
_NONE, _BITMAP, _GAPS, _ALL = range(4)

_Bits = npt.NDArray[Any]


class _TooLarge(Exception):
    """The delta grew past its limit."""


def write_delta(parent: Path, child: Path, output: Path, *, below: float | None = None) -> bool:
    """Writes to the empty folder `output` what `child` changed of `parent`. Both are model folders, only read.

    below: the share of the child's weight files that the delta may take; past it the folder is emptied, and False is
    returned. Memory: a few chunks. Raises CheckpointError where one of the folders holds no whole model.
    """
    before, after = WeightFolder(parent), WeightFolder(child)
    full = sum(path.stat().st_size for path in after.files)
    limit = None if below is None else int(below * full)
    files: dict[str, Any] = {}
    try:
        with (output / _CHANGES).open("wb") as file:
            for path in after.files:
                files[path.name] = {
                    "size": path.stat().st_size,
                    "sha256": _write_file(before, after, path, file, limit),
                }
    except _TooLarge:
        (output / _CHANGES).unlink()
        return False
    _copy_others(child, after, output / _FILES)
    about = {
        "format": _FORMAT,
        "parent": {path.name: _sha256(path) for path in before.files},
        "files": files,
        "size": (output / _CHANGES).stat().st_size,
        "sha256": _sha256(output / _CHANGES),
    }
    (output / MARKER).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return True


def check(folder: Path) -> None:
    """Returns where the delta in `folder` is whole by its size. Raises CheckpointError."""
    about = _about(folder)
    path = folder / _CHANGES
    if not path.is_file() or path.stat().st_size != about["size"]:
        raise CheckpointError(f"{_CHANGES} is missing or cut off", where=str(folder), hint=_AGAIN)


def restore(parent: Path, folder: Path, output: Path) -> None:
    """Writes to the empty folder `output` the checkpoint that the delta in `folder` was made of: the same files, bit
    for bit. Raises CheckpointError where the parent is not the one it was made against, or the delta is damaged."""
    check(folder)
    about = _about(folder)
    before = WeightFolder(parent)
    with (folder / _CHANGES).open("rb") as changes:
        for name, entry in about["files"].items():
            if _restore_file(before, changes, output / name, folder) != entry["sha256"]:
                raise _mismatch(before, about, folder)
            sync(output / name)
    for path in sorted((folder / _FILES).iterdir()):
        shutil.copy2(path, output / path.name)
    sync(output)


_AGAIN = "remove the step's result and run again"


def _about(folder: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        if about["format"] != _FORMAT:
            raise CheckpointError(f"the delta is of format {about['format']}, unknown here", where=str(folder))
        about["files"], about["parent"], about["size"], about["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{MARKER} cannot be read", where=str(folder), hint=_AGAIN) from error
    return about


def _mismatch(parent: WeightFolder, about: dict[str, Any], folder: Path) -> CheckpointError:
    if {path.name: _sha256(path) for path in parent.files} != about["parent"]:
        return CheckpointError(
            f"the delta was made against another parent than {parent.folder}", where=str(folder), hint=_AGAIN
        )
    return CheckpointError("the delta is damaged: it restores other weights", where=str(folder), hint=_AGAIN)


# ------------------------------------------------------------------------------------------- one weight file


def _write_file(before: WeightFolder, after: WeightFolder, path: Path, file: IO[bytes], limit: int | None) -> str:
    """Appends one weight file's header and changes; returns the file's sha256."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as source:
        header = source.read(8)
        header += source.read(int.from_bytes(header, "little"))
        digest.update(header)
        packed = zlib.compress(header)
        file.write(struct.pack("<I", len(packed)) + packed)
        for name, place in _in_order(after, path):
            old = _Parent(before, name, place)
            for start, values in _read_chunks(source, place):
                digest.update(values.tobytes())
                file.write(_packed(old.read(start, len(values)), values))
                if limit is not None and file.tell() > limit:
                    raise _TooLarge
    return digest.hexdigest()


def _restore_file(before: WeightFolder, changes: IO[bytes], path: Path, folder: Path) -> str:
    """Writes one weight file from the changes at the reader's place; returns its sha256."""
    try:
        header = zlib.decompress(_exactly(changes, struct.unpack("<I", _exactly(changes, 4))[0]))
        with path.open("wb") as file:
            digest = hashlib.sha256(header)
            file.write(header)
            for name, place in _places_of(header, path):
                old = _Parent(before, name, place)
                for start in range(0, place.count, _CHUNK):
                    values = _unpacked(changes, old.read(start, min(_CHUNK, place.count - start)))
                    digest.update(values.tobytes())
                    file.write(values.tobytes())
    except (EOFError, zlib.error, struct.error, ValueError) as error:
        raise CheckpointError("the delta is damaged: it cannot be unpacked", where=str(folder), hint=_AGAIN) from error
    return digest.hexdigest()


def _in_order(folder: WeightFolder, path: Path) -> list[tuple[str, TensorPlace]]:
    """Returns the tensors of a file in the order of their bytes."""
    return sorted(((name, folder.place(name)) for name in folder.names_in(path)), key=lambda item: _end(item[1]))


def _end(place: TensorPlace) -> tuple[int, int]:
    return place.offset, place.count  # an empty tensor begins where the next one does


def _places_of(header: bytes, path: Path) -> list[tuple[str, TensorPlace]]:
    entries = {name: entry for name, entry in json.loads(header[8:]).items() if name != "__metadata__"}
    places = {
        name: TensorPlace(
            file=path,
            offset=len(header) + entry["data_offsets"][0],
            dtype=DTYPES[entry["dtype"]],
            shape=tuple(entry["shape"]),
        )
        for name, entry in entries.items()
    }
    return sorted(places.items(), key=lambda item: _end(item[1]))


def _read_chunks(source: IO[bytes], place: TensorPlace) -> Iterator[tuple[int, _Bits]]:
    for start in range(0, place.count, _CHUNK):
        yield start, _read_bits(source, place, start, min(_CHUNK, place.count - start))


def _read_bits(source: IO[bytes], place: TensorPlace, start: int, count: int) -> _Bits:
    size = place.dtype.itemsize
    buffer = torch.empty(count * size, dtype=torch.uint8)
    read_into(source.fileno(), buffer, place.offset + start * size)
    return buffer.numpy().view(f"u{size}")


@dataclass(frozen=True)
class _Parent:
    """The parent's values of a tensor, or zeros where it has no such tensor."""

    folder: WeightFolder
    name: str
    place: TensorPlace

    def read(self, start: int, count: int) -> _Bits:
        if self.name in self.folder.names():
            own = self.folder.place(self.name)
            if (own.shape, own.dtype) == (self.place.shape, self.place.dtype):
                with own.file.open("rb", buffering=0) as source:
                    return _read_bits(source, own, start, count)
        return np.zeros(count, dtype=f"u{self.place.dtype.itemsize}")


# ------------------------------------------------------------------------------------------------- one chunk


def _packed(old: _Bits, new: _Bits) -> bytes:
    changes = old ^ new
    changed = changes != 0
    count = int(np.count_nonzero(changed))
    if count == 0:
        return _RECORD.pack(_NONE, 0, 0, 0)
    sizes = {_BITMAP: len(new) // 8, _GAPS: 4 * count, _ALL: (len(new) - count) * new.itemsize}
    kind = min(sizes, key=lambda each: (sizes[each], each))
    positions = b""
    if kind == _BITMAP:
        positions = zlib.compress(np.packbits(changed).tobytes(), 1)
    elif kind == _GAPS:
        places = np.flatnonzero(changed)
        positions = zlib.compress(_planes(np.diff(places, prepend=0).astype(np.uint32)), 1)
    values = zlib.compress(_planes(changes if kind == _ALL else changes[changed]), 1)
    return _RECORD.pack(kind, count, len(positions), len(values)) + positions + values


def _unpacked(changes: IO[bytes], old: _Bits) -> _Bits:
    kind, count, position_bytes, value_bytes = _RECORD.unpack(_exactly(changes, _RECORD.size))
    if kind == _NONE:
        return old
    positions, values = _exactly(changes, position_bytes), zlib.decompress(_exactly(changes, value_bytes))
    if kind == _ALL:
        return old ^ _from_planes(values, len(old), old.dtype)
    flipped = _from_planes(values, count, old.dtype)
    new = old.copy()
    if kind == _BITMAP:
        bits = np.frombuffer(zlib.decompress(positions), dtype=np.uint8)
        new[np.unpackbits(bits, count=len(old)).view(np.bool_)] ^= flipped
    else:
        gaps = _from_planes(zlib.decompress(positions), count, np.dtype(np.uint32))
        new[np.cumsum(gaps, dtype=np.int64)] ^= flipped
    return new


def _planes(values: _Bits) -> bytes:
    """Returns all first bytes of the values, then all second ones, and so on."""
    return values.view(np.uint8).reshape(-1, values.itemsize).T.tobytes()


def _from_planes(data: bytes, count: int, dtype: np.dtype[Any]) -> _Bits:
    planes = np.frombuffer(data, dtype=np.uint8).reshape(dtype.itemsize, count)
    return np.ascontiguousarray(planes.T).view(dtype).reshape(count)


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise EOFError
    return data


def _copy_others(child: Path, after: WeightFolder, output: Path) -> None:
    output.mkdir()
    weights = {path.name for path in after.files}
    for path in sorted(child.iterdir()):
        if path.is_file() and path.name not in weights:
            shutil.copy2(path, output / path.name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
