"""Bounds of the k-th highest of a stream's scores, guessed from a sample of half a million of them."""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from harness.weights.scores import Scores
from harness.weights.stream import Chunk

WHOLE = 1 << 22
"""Up to so many scores nothing is guessed: all of them are held."""

_BLOCKS = 512
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

    The coordinates are cut into 512 equal stretches, and of each a block of up to 1,024 is seen, at a place drawn at
    random, so that no column of a matrix is always the one that is seen. The share of scores above a bound is taken six
    standard errors away from the wanted share; neighbours in a block are alike, so the error is that of the blocks'
    shares, by successive differences.
    """
    if scores.count <= WHOLE:
        return Bounds(low=-math.inf, high=math.inf, between=1.0)
    sampled = [values.clone() for _, values in scores.of(_blocks(scores.stream.chunks, scores.count))]
    ranked = np.sort(torch.cat(sampled).numpy())[::-1]
    share = count / scores.count
    error = _standard_error(sampled, _at(ranked, share))
    margin = _DEVIATIONS * error + 2 / (_BLOCKS * _BLOCK)
    low, high = _at(ranked, share + margin), _at(ranked, share - margin)
    return Bounds(low=low, high=high, between=float(np.mean((ranked >= low) & (ranked <= high))))


def _blocks(chunks: Sequence[Chunk], count: int) -> list[Chunk]:
    draw = random.Random("harness.weights.bounds")
    filled = [chunk for chunk in chunks if chunk.count]
    offsets = [chunk.offset for chunk in filled]
    blocks = []
    for index in range(_BLOCKS):
        place = draw.randrange(index * count // _BLOCKS, (index + 1) * count // _BLOCKS)
        chunk = filled[bisect.bisect_right(offsets, place) - 1]
        length = min(_BLOCK, chunk.count)
        shift = min(place - chunk.offset, chunk.count - length)
        blocks.append(Chunk(chunk.name, chunk.start + shift, length, chunk.offset + shift))
    return blocks


def _at(ranked: npt.NDArray[np.float32], share: float) -> float:
    """Returns the score with about `share` of all above it; infinite past either end."""
    if share <= 0:
        return math.inf
    return float(ranked[int(share * len(ranked))]) if share < 1 else -math.inf


def _standard_error(sampled: Sequence[torch.Tensor], bound: float) -> float:
    """Returns the standard error of the share of scores above `bound`, from 0 to 1."""
    shares = np.array([float(np.mean(block.numpy() > bound)) for block in sampled])
    return float(np.sqrt(np.square(np.diff(shares)).sum() / 2) / len(shares))
