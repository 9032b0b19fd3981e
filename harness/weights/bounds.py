"""Bounds of the k-th highest of a stream's scores, guessed from a sample of 0.4 % of them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from harness.weights.scores import Scores
from harness.weights.stream import Chunk

WHOLE = 1 << 22
"""Up to so many scores nothing is guessed: all of them are held."""

_BLOCK = 1024
_DEVIATIONS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Scores between which the wanted one very probably lies, and the share of all scores that does (0 to 1)."""

    low: float
    high: float
    between: float


def guessed_bounds(scores: Scores, count: int) -> Bounds:
    """Returns bounds of the `count`-th highest score; infinite ones where all scores can be held.

    One block of 1,024 coordinates a chunk, at a place drawn at random, so that no column of a matrix is always the one
    that is seen. The share of scores above a bound is taken six standard errors away from the wanted share; neighbours
    in a block are alike, so the error is that of the blocks' shares, by successive differences.
    """
    if scores.count <= WHOLE:
        return Bounds(low=-math.inf, high=math.inf, between=1.0)
    draw = random.Random("harness.weights.bounds")
    blocks = [_block(chunk, draw) for chunk in scores.stream.chunks]
    sampled = [values.clone() for _, values in scores.of(blocks)]
    weights = [chunk.count / scores.count for chunk in scores.stream.chunks]
    order, above = _ranked(sampled, weights)
    share = count / scores.count
    margin = _DEVIATIONS * _standard_error(sampled, weights, _at(order, above, share)) + 2 * max(weights) / _BLOCK
    low, high = _at(order, above, share + margin), _at(order, above, share - margin)
    each = above.diff(prepend=above.new_zeros(1))
    return Bounds(low=low, high=high, between=float(each[(order >= low) & (order <= high)].sum()))


def _block(chunk: Chunk, draw: random.Random) -> Chunk:
    length = min(_BLOCK, chunk.count)
    shift = draw.randrange(chunk.count - length + 1)
    return Chunk(chunk.name, chunk.start + shift, length, chunk.offset + shift)


def _ranked(sampled: Sequence[torch.Tensor], weights: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the sampled scores, highest first, and the share of all scores that each stands for, summed up."""
    values, order = torch.cat(list(sampled)).sort(descending=True)
    each = [
        torch.full((len(block),), weight / max(1, len(block)), dtype=torch.float64)
        for block, weight in zip(sampled, weights, strict=True)
    ]
    return values, torch.cat(each)[order].cumsum(0)


def _at(values: torch.Tensor, above: torch.Tensor, share: float) -> float:
    """Returns the score with about `share` of all above it; infinite past either end."""
    if share <= 0:
        return math.inf
    place = int(torch.searchsorted(above, share))
    return float(values[place]) if place < len(values) and share < 1 else -math.inf


def _standard_error(sampled: Sequence[torch.Tensor], weights: Sequence[float], bound: float) -> float:
    """Returns the standard error of the share of scores above `bound`."""
    shares = torch.tensor(
        [weight * float((block > bound).double().mean()) for block, weight in zip(sampled, weights, strict=True)],
        dtype=torch.float64,
    )
    return float((shares.diff().square().sum() / 2).sqrt())
