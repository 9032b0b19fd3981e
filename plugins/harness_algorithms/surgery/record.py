"""The cosines by module of a training step, stored on disk so that they survive a killed process."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from torch import Tensor

from harness.training import keep_metrics_until


class ConflictRecord:
    """A file with a JSON line per optimizer step: the cosine of each pair of domains in each module, null if undefined.

    A resumed process repeats the steps after the last resumable state, so its first note removes their lines.
    """

    def __init__(self, path: Path, domains: Sequence[str]) -> None:
        self.path = path
        self.pairs = list(combinations(range(len(domains)), 2))
        self.domains = tuple(domains)
        self._resumed = False

    def note(self, step: int, cosines: Mapping[str, Tensor]) -> None:
        """Appends the cosines of an optimizer step: [domains, domains] by module."""
        if not self._resumed:
            keep_metrics_until(self.path, step - 1)
            self._resumed = True
        rows = {module: [_number(float(matrix[a, b])) for a, b in self.pairs] for module, matrix in cosines.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "cosines": rows}) + "\n")

    def by_module(self) -> list[dict[str, Any]]:
        """Returns, for each module and pair of domains, the mean cosine, the share of steps in which it was negative,
        and the number of steps in which it was defined. Empty with one domain."""
        seen: dict[tuple[str, int], list[float]] = defaultdict(list)
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else ():
            for module, values in json.loads(line)["cosines"].items():
                for pair, value in enumerate(values):
                    if value is not None:
                        seen[module, pair].append(value)
        return [
            {
                "module": module,
                "domains": [self.domains[index] for index in self.pairs[pair]],
                "cosine_mean": sum(values) / len(values),
                "conflict_share": sum(value < 0 for value in values) / len(values),
                "steps": len(values),
            }
            for (module, pair), values in seen.items()
        ]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
