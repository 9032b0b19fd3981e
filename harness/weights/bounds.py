"""Estimates bounds of the k-th highest score of a stream from a sample of half a million scores."""

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
"""Up to this many scores, all are candidates and nothing is estimated."""

_BLOCKS = 512
_BLOCK = 1024
_DEVIATIONS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Scores between which the k-th highest very probably lies, and the share of all scores between them (0 to 1)."""

    low: float
    high: float
    between: float


def estimate_bounds(scores: Scores, count: int) -> Bounds:
    """Returns bounds of the `count`-th highest score; infinite bounds where all scores can be held in memory.

    The weights are divided into 512 ranges of equal length. From each, one block of up to 1,024 weights at a random
    position is sampled, so that the sample does not favour a column of a matrix. The bounds are the scores at the
    wanted share plus and minus six standard errors. Neighbouring scores are similar, so the standard error is that of
    the blocks' shares, computed from successive differences.
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
    """Returns the score that about `share` of all scores exceed; infinite for a share outside 0 to 1."""
    if share <= 0:
        return math.inf
    return float(ranked[int(share * len(ranked))]) if share < 1 else -math.inf


def _standard_error(sampled: Sequence[torch.Tensor], bound: float) -> float:
    """Returns the standard error of the share of scores above `bound`, from 0 to 1."""
    shares = np.array([float(np.mean(block.numpy() > bound)) for block in sampled])
    return float(np.sqrt(np.square(np.diff(shares)).sum() / 2) / len(shares))
