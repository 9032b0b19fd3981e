"""Rows that a probe measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard


@dataclass(frozen=True, kw_only=True)
class ProbeRows:
    """What a probe measured along one method's lineage, for one seed. config: what the protocol told the probe, with
    defaults."""

    probe: str
    method: str
    seed: int
    rows: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any] = field(default_factory=dict)


def is_finite_number(value: object) -> TypeGuard[float]:
    """Returns whether a row's value is a number that can be averaged and drawn: no boolean, NaN or infinity."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
