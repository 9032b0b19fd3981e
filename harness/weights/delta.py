"""Stores a checkpoint as its difference from its parent, and restores the same files, bit for bit.

A delta is a folder. `delta.json` holds the sha256 of the parent's weight files and of the files to be restored,
`delta.bin` the changes, and `files/` all files without weights. `delta.bin` holds for each weight file its safetensors
header, and a record of `harness.weights.packing` for each chunk of its values. A tensor whose floating-point dtype
differs from the parent's is compared with the parent's values in the child's dtype. A tensor that the parent does not
have in the same shape is compared with zeros.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import torch

from harness._util.files import sync
from harness._util.json_reading import parse_json
from harness.errors import CheckpointError
from harness.weights.folder import DTYPES, TensorPlace, WeightFolder, read_into
from harness.weights.model_folder import DELTA
from harness.weights.packing import Bits, exactly, packed, read_body, unpacked

_CHANGES = "delta.bin"
_FILES = "files"
_FORMAT = 1
_CHUNK = 1 << 20
_SIZE = struct.Struct("<I")
_MOST_THREADS = 8
_ROUNDED = frozenset(
    {torch.float64, torch.float32, torch.bfloat16, torch.float16}
)  # conversion rounds to nearest on every machine

_Result = TypeVar("_Result")


class _TooLarge(Exception):
    """The delta is larger than its limit."""


def write_delta(parent: Path, child: Path, output: Path, *, below: float | None = None) -> bool:
    """Writes the difference of the model folder `child` from `parent` to the empty folder `output`; returns True.

    below: the largest allowed size, as a share of the child's weight files. A larger delta is removed again, and False
    is returned. Memory: a few chunks per thread. Raises CheckpointError if a folder holds no complete model, or the
    child a symbolic link.
    """
    before, after = WeightFolder(parent, copies=True), WeightFolder(child, copies=True)
    _refuse_links(child)
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
    about: dict[str, Any] = {
        "format": _FORMAT,
        "parent": {path.name: _sha256(path) for path in before.files},
        "files": files,
        "size": (output / _CHANGES).stat().st_size,
        "sha256": _sha256(output / _CHANGES),
    }
    text = json.dumps(about, indent=1) + "\n"
    if limit is not None and about["size"] + len(text) > limit:  # delta.json counts for a model of a few kilobytes
        shutil.rmtree(output / _FILES)
        (output / _CHANGES).unlink()
        return False
    (output / DELTA).write_text(text, encoding="utf-8")
    return True


def check(folder: Path) -> None:
    """Raises CheckpointError if the delta in `folder` is missing or does not have its size."""
    about = _about(folder)
    path = folder / _CHANGES
    if not path.is_file() or path.stat().st_size != about["size"]:
        raise CheckpointError(f"{_CHANGES} is missing or cut off", where=str(folder), hint=_AGAIN)


def restore(parent: Path, folder: Path, output: Path) -> None:
    """Writes the checkpoint that the delta in `folder` stores to the empty folder `output`: the same files, bit for
    bit. Raises CheckpointError if `parent` is another model than the delta's parent, or the delta is damaged."""

    def write(name: str) -> IO[bytes]:
        return (output / name).open("wb")

    _unpack(parent, folder, write)
    for name in _about(folder)["files"]:
        sync(output / name)
    shutil.copytree(folder / _FILES, output, dirs_exist_ok=True)
    sync(output)


def verify(parent: Path, folder: Path) -> None:
    """Raises CheckpointError if `restore` would; unpacks all weight files and writes none."""

    def drop(name: str) -> IO[bytes]:
        return Path("/dev/null").open("wb")

    _unpack(parent, folder, drop)


_AGAIN = "remove the step's result and run again"


def _about(folder: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = parse_json((folder / DELTA).read_bytes())
        if about["format"] != _FORMAT:
            raise CheckpointError(f"the delta has the unknown format {about['format']}", where=str(folder))
        about["files"], about["parent"], about["size"], about["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{DELTA} cannot be read", where=str(folder), hint=_AGAIN) from error
    return about


def _mismatch(parent: WeightFolder, about: dict[str, Any], folder: Path) -> CheckpointError:
    if {path.name: _sha256(path) for path in parent.files} != about["parent"]:
        return CheckpointError(
            f"the delta belongs to another parent than {parent.folder}", where=str(folder), hint=_AGAIN
        )
    return CheckpointError(
        "the delta is damaged: the restored weights have another sha256", where=str(folder), hint=_AGAIN
    )


# ------------------------------------------------------------------------------------------- one weight file


def _write_file(before: WeightFolder, after: WeightFolder, path: Path, file: IO[bytes], limit: int | None) -> str:
    """Appends the header and changes of one weight file; returns the sha256 of the weight file."""
    digest = hashlib.sha256()
    parents = _places(before)
    with path.open("rb", buffering=0) as source:
        header = source.read(8)
        header += source.read(int.from_bytes(header, "little"))
        digest.update(header)
        deflated = zlib.compress(header)
        file.write(_SIZE.pack(len(deflated)) + deflated)

        def changes() -> Iterator[Callable[[], bytes]]:
            for name, place in _in_order(after, path):
                old = _Parent(parents.get(name), place)
                for start, count in _chunks(place):
                    new = _read_bits(source, place, start, count)
                    digest.update(new.data)
                    yield partial(_packed, old, start, new)

        for record in _each(changes()):
            file.write(record)
            if limit is not None and file.tell() > limit:
                raise _TooLarge
    return digest.hexdigest()


def _unpack(parent: Path, folder: Path, opened: Callable[[str], IO[bytes]]) -> None:
    """Writes each weight file to what `opened` returns for its name."""
    check(folder)
    about = _about(folder)
    before = WeightFolder(parent, copies=True)
    with (folder / _CHANGES).open("rb") as changes:
        for name, entry in about["files"].items():
            with opened(name) as file:
                if _restore_file(before, changes, file, folder) != entry["sha256"]:
                    raise _mismatch(before, about, folder)


def _restore_file(before: WeightFolder, changes: IO[bytes], file: IO[bytes], folder: Path) -> str:
    """Writes one weight file from the changes at the reader's position; returns its sha256."""
    parents = _places(before)

    def chunks() -> Iterator[Callable[[], Bits]]:
        for name, place in _places_of(header, folder):
            old = _Parent(parents.get(name), place)
            for start, count in _chunks(place):
                yield partial(_unpacked, old, start, count, read_body(changes))

    try:
        header = zlib.decompress(exactly(changes, _SIZE.unpack(exactly(changes, _SIZE.size))[0]))
        digest = hashlib.sha256(header)
        file.write(header)
        for values in _each(chunks()):
            digest.update(values.data)
            file.write(values.data)
    except (EOFError, zlib.error, struct.error, ValueError, IndexError) as error:
        raise CheckpointError("the delta is damaged: it cannot be unpacked", where=str(folder), hint=_AGAIN) from error
    return digest.hexdigest()


def _each(work: Iterable[Callable[[], _Result]]) -> Iterator[_Result]:
    """Yields the results in order; computes a few at a time, in as many threads as torch uses."""
    threads = min(_MOST_THREADS, torch.get_num_threads())
    waiting: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for one in work:
            waiting.append(pool.submit(one))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _places(folder: WeightFolder) -> dict[str, TensorPlace]:
    return {name: folder.place(name) for name in folder.names()}


def _in_order(folder: WeightFolder, path: Path) -> list[tuple[str, TensorPlace]]:
    """Returns the tensors of a file in the order of their bytes."""
    return sorted(((name, folder.place(name)) for name in folder.names_in(path)), key=lambda item: _end(item[1]))


def _end(place: TensorPlace) -> tuple[int, int]:
    return place.offset, place.count  # an empty tensor starts where the next one does


def _places_of(header: bytes, folder: Path) -> list[tuple[str, TensorPlace]]:
    entries = {name: entry for name, entry in parse_json(header[8:]).items() if name != "__metadata__"}
    places = {
        name: TensorPlace(
            file=folder,
            offset=len(header) + entry["data_offsets"][0],
            dtype=DTYPES[entry["dtype"]],
            shape=tuple(entry["shape"]),
        )
        for name, entry in entries.items()
    }
    return sorted(places.items(), key=lambda item: _end(item[1]))


def _chunks(place: TensorPlace) -> Iterator[tuple[int, int]]:
    for start in range(0, place.count, _CHUNK):
        yield start, min(_CHUNK, place.count - start)


def _read_bits(source: IO[bytes], place: TensorPlace, start: int, count: int) -> Bits:
    size = place.dtype.itemsize
    buffer = torch.empty(count * size, dtype=torch.uint8)
    read_into(source.fileno(), buffer, place.offset + start * size)
    return buffer.numpy().view(f"u{size}")


class _Parent:
    """The parent's values of a tensor in the child's dtype, or zeros where it has none of that shape. Thread-safe."""

    def __init__(self, own: TensorPlace | None, place: TensorPlace) -> None:
        fits = own is not None and own.shape == place.shape and (own.dtype == place.dtype or _cast(own, place))
        self._place = own if fits else None
        self._dtype = place.dtype

    def read(self, start: int, count: int) -> Bits:
        kind = f"u{self._dtype.itemsize}"
        if self._place is None:
            return np.zeros(count, dtype=kind)
        with self._place.file.open("rb", buffering=0) as source:
            bits = _read_bits(source, self._place, start, count)
        if self._place.dtype == self._dtype:
            return bits
        values = torch.from_numpy(bits.view(np.uint8)).view(self._place.dtype).to(self._dtype)
        return values.view(torch.uint8).numpy().view(kind)


def _cast(own: TensorPlace, place: TensorPlace) -> bool:
    return own.dtype in _ROUNDED and place.dtype in _ROUNDED


def _packed(old: _Parent, start: int, new: Bits) -> bytes:
    return packed(old.read(start, len(new)), new)


def _unpacked(old: _Parent, start: int, count: int, body: bytes) -> Bits:
    return unpacked(body, old.read(start, count))


def _refuse_links(child: Path) -> None:
    for path in sorted(child.rglob("*")):
        if path.is_symlink():
            raise CheckpointError(
                "a delta cannot hold a symbolic link",
                where=str(path),
                hint="replace it with the file that it points to",
            )


def _copy_others(child: Path, after: WeightFolder, output: Path) -> None:
    weights = {path.name for path in after.files}

    def ignored(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder) == child and name in weights]

    shutil.copytree(child, output, ignore=ignored)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
