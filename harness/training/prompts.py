"""The order of all prompts of a step, fixed before training from one seed and passed to TRL as a single epoch.

After a resume, TRL's sampler repeats the order of epoch 0 in every later epoch. A single epoch avoids this.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.domains.judgeable import Unjudgeable, judgeable_rows, refuse
from harness.plugin.interfaces import TrainingDomain
from harness.training.rewards import DOMAIN_COLUMN

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, kw_only=True)
class OrderedPrompts:
    """The rows of a step in order, and for each domain a report of the rows that its reward cannot judge."""

    rows: Dataset
    unjudgeable: dict[str, Any]


def ordered_prompts(
    domains: Sequence[TrainingDomain],
    *,
    steps: int,
    prompts_per_step: int,
    seed: int,
    size_exponent: float = 0.0,
    replayed: Sequence[TrainingDomain] = (),
    replay_share: float = 0.0,
    unjudgeable: Unjudgeable = "drop",
) -> OrderedPrompts:
    """Returns `steps` × `prompts_per_step` rows with a column that routes each to its domain's reward.

    A domain's share is proportional to weight × data size ^ `size_exponent`, spread over the steps as evenly as whole
    numbers allow. A domain's rows are reshuffled each time all have been used. A share `replay_share` (below 1) of all
    rows is from the domains `replayed`, by their weights. Rows that a domain's reward cannot judge are dropped, or
    raise UsageError under `unjudgeable: refuse`.
    """
    from datasets import concatenate_datasets

    found = {domain.name: judgeable_rows(domain, seed) for domain in (*domains, *replayed)}
    if unjudgeable == "refuse":
        for name, rows in found.items():
            refuse(name, rows)
    data = [_routed(name, rows.rows) for name, rows in found.items()]
    sizes = [len(rows) for rows in data]
    weights = [d.weight * size**size_exponent for d, size in zip(domains, sizes, strict=False)]
    weights += _replay_weights(sum(weights), [domain.weight for domain in replayed], replay_share)
    offsets = [sum(sizes[:index]) for index in range(len(sizes))]
    draws = [
        _endless_order(size, f"{seed}/{domain.name}") for size, domain in zip(sizes, (*domains, *replayed), strict=True)
    ]
    shuffle = random.Random(f"{seed}/prompts within a step")
    order: list[int] = []
    for counts in quotas(weights, prompts_per_step, steps):
        step = [offsets[i] + next(draws[i]) for i, count in enumerate(counts) for _ in range(count)]
        shuffle.shuffle(step)
        order += step
    return OrderedPrompts(
        rows=concatenate_datasets(data).select(order),
        unjudgeable={name: rows.report() for name, rows in found.items()},
    )


def quotas(weights: Sequence[float], per_step: int, steps: int) -> Iterator[list[int]]:
    """Yields the number of prompts per domain for each step. They sum to `per_step`.

    After every step, the cumulative counts are the exact shares, rounded by largest remainder, so no domain is ever
    short by more than one prompt.
    """
    total = sum(weights)
    given = [0] * len(weights)
    for step in range(1, steps + 1):
        due = [weight / total * per_step * step for weight in weights]
        counts = [max(0, int(d) - g) for d, g in zip(due, given, strict=True)]
        by_need = sorted(range(len(weights)), key=lambda i: (given[i] + counts[i] - due[i], i))
        for index in by_need[: per_step - sum(counts)]:
            counts[index] += 1
        while sum(counts) > per_step:
            counts[max(range(len(counts)), key=lambda i: (given[i] + counts[i] - due[i], counts[i]))] -= 1
        given = [g + c for g, c in zip(given, counts, strict=True)]
        yield counts


def _replay_weights(others: float, weights: Sequence[float], share: float) -> list[float]:
    """Returns `weights` scaled so that their sum is the fraction `share` of the total with `others`."""
    return [share / (1 - share) * others * weight / sum(weights) for weight in weights]


def _routed(name: str, rows: Dataset) -> Dataset:
    if DOMAIN_COLUMN in rows.column_names:
        rows = rows.remove_columns(DOMAIN_COLUMN)
    return rows.add_column(DOMAIN_COLUMN, [name] * len(rows))


def _endless_order(size: int, seed: str) -> Iterator[int]:
    rng = random.Random(seed)
    while True:
        yield from rng.sample(range(size), size)
