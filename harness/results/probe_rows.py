"""The rows that a probe measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard


@dataclass(frozen=True, kw_only=True)
class ProbeRows:
    """The measurements of a probe along one method's lineage, for one seed. config: the probe's config in the
    protocol, with defaults."""

    probe: str
    method: str
    seed: int
    rows: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any] = field(default_factory=dict)


def is_finite_number(value: object) -> TypeGuard[float]:
    """Returns whether a row's value is a finite number, so that it can be averaged and drawn. False for booleans."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
