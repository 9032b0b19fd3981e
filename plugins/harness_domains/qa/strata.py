"""A stratified order: every prefix contains the strata in their proportions."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence


def stratified_order(texts: Sequence[str], strata: Sequence[Hashable], seed: str) -> list[int]:
    """Returns the indices of the distinct `texts` in an order that depends on `seed` but not on their given order.

    Systematic sampling: row r of the n rows of a stratum, ordered by hash, has the position (r + u) / n, where u in
    [0, 1) belongs to the stratum. Up to any position each stratum has contributed its share, to within one row, and
    smaller subsets are prefixes of larger ones.
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
    """Returns a number in [0, 1) that depends only on the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
