"""An order of rows in which every beginning holds the strata by their shares."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence


def stratified_order(texts: Sequence[str], strata: Sequence[Hashable], seed: str) -> list[int]:
    """Returns the indices of `texts`, which are distinct, in an order fixed by `seed`, whatever order they came in.

    Systematic sampling: row r of the n in a stratum, in an order drawn by hash, stands at (r + u) / n, where u
    in [0, 1) is the stratum's own. So up to any point in [0, 1] each stratum has given its share, to less than one row,
    and smaller subsets are beginnings of larger ones.
    """
    members: dict[Hashable, list[int]] = defaultdict(list)
    for index, stratum in enumerate(strata):
        members[stratum].append(index)
    places: list[tuple[float, str, int]] = []
    for stratum, indices in members.items():
        offset = _fraction(f"{seed}/stratum/{stratum!r}")
        drawn = sorted(indices, key=lambda index: (_fraction(f"{seed}/row/{texts[index]}"), texts[index]))
        places += [((rank + offset) / len(drawn), texts[index], index) for rank, index in enumerate(drawn)]
    return [index for _, _, index in sorted(places)]


def _fraction(text: str) -> float:
    """Returns a number in [0, 1) that hangs on nothing but the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
