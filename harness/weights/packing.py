"""Packs the changed values of a chunk as bytes: their positions, and their bits XOR the old bits.

A record is its length and a body, which is empty where nothing changed. The body starts with the encoding of the
positions and their number. Positions are a bitmap or the gaps between them, whichever is smaller, or are left out where
nearly all values changed. Byte planes follow: the first bytes of all values, then the second bytes, and so on, because
the high bytes of small changes are mostly zero. A plane is deflated unless its bytes are as good as random.
"""

from __future__ import annotations

import struct
import zlib
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[Any]
"""Values as unsigned integers of the same size."""

_LENGTH = struct.Struct("<I")
_HEAD = struct.Struct("<BI")  # encoding of the positions, number of changed values
_PLANE = struct.Struct("<BI")  # whether the plane is deflated, its size in bytes
_BITMAP, _GAPS, _ALL = range(3)
_RANDOM = 0.98
_RUNS = 0.2
"""Entropy per bit of a plane. Above _RANDOM deflating gains nothing and takes longest. Below _RUNS run lengths compress
best, and between the two Huffman coding does."""


def packed(old: Bits, new: Bits) -> bytes:
    """Returns the record that turns `old` into `new`; both are flat and have one dtype."""
    changes = old ^ new
    changed = changes != 0
    count = int(np.count_nonzero(changed))
    if count == 0:
        return _LENGTH.pack(0)
    sizes = {_BITMAP: len(new) // 8, _GAPS: 4 * count, _ALL: (len(new) - count) * new.itemsize}
    kind = min(sizes, key=lambda each: (sizes[each], each))
    parts = [_HEAD.pack(kind, count)]
    if kind == _BITMAP:
        parts += _planes(np.packbits(changed))
    elif kind == _GAPS:
        parts += _planes(np.diff(np.flatnonzero(changed), prepend=0).astype(np.uint32))
    parts += _planes(changes if kind == _ALL else changes[changed])
    body = b"".join(parts)
    return _LENGTH.pack(len(body)) + body


def read_body(file: IO[bytes]) -> bytes:
    """Returns the body of the record at the file's position. Raises EOFError if the file ends before its end."""
    return exactly(file, _LENGTH.unpack(exactly(file, _LENGTH.size))[0])


def unpacked(body: bytes, old: Bits) -> Bits:
    """Returns the new values. Raises ValueError, IndexError, struct.error or zlib.error for an invalid body."""
    if not body:
        return old
    kind, count = _HEAD.unpack_from(body)
    place = _HEAD.size
    if kind == _ALL:
        changes, _ = _from_planes(body, place, len(old), old.dtype)
        return old ^ changes
    new = old.copy()
    if kind == _BITMAP:
        bits, place = _from_planes(body, place, -(-len(old) // 8), np.dtype(np.uint8))
        changed: Bits = np.unpackbits(bits, count=len(old)).view(np.bool_)
    else:
        gaps, place = _from_planes(body, place, count, np.dtype(np.uint32))
        changed = np.cumsum(gaps, dtype=np.int64)
    flipped, _ = _from_planes(body, place, count, old.dtype)
    new[changed] ^= flipped
    return new


def exactly(file: IO[bytes], size: int) -> bytes:
    """Returns the next `size` bytes. Raises EOFError if there are fewer."""
    data = file.read(size)
    if len(data) != size:
        raise EOFError
    return data


def _planes(values: Bits) -> list[bytes]:
    """Returns the values' byte planes, each preceded by its header."""
    parts = []
    for plane in np.ascontiguousarray(values.view(np.uint8).reshape(-1, values.itemsize).T):
        data = _deflated(plane)
        parts += [_PLANE.pack(data is not None, plane.nbytes if data is None else len(data)), data or plane.tobytes()]
    return parts


def _deflated(plane: npt.NDArray[np.uint8]) -> bytes | None:
    shares = np.bincount(plane, minlength=256) / plane.size
    present = shares[shares > 0]
    entropy = float(-(present * np.log2(present)).sum()) / 8
    if entropy > _RANDOM:
        return None
    strategy = zlib.Z_RLE if entropy < _RUNS else zlib.Z_HUFFMAN_ONLY
    deflating = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, strategy)
    return deflating.compress(plane.tobytes()) + deflating.flush()


def _from_planes(body: bytes, place: int, count: int, dtype: np.dtype[Any]) -> tuple[Bits, int]:
    """Returns `count` values of `dtype` from the planes at `place` of the body, and the position after them."""
    planes = np.empty((dtype.itemsize, count), dtype=np.uint8)
    for plane in planes:
        deflated, size = _PLANE.unpack_from(body, place)
        place += _PLANE.size
        data = memoryview(body)[place : place + size]
        plane[:] = np.frombuffer(zlib.decompress(data) if deflated else data, dtype=np.uint8)
        place += size
    return np.ascontiguousarray(planes.T).view(dtype).reshape(count), place
