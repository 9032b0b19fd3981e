"""Selects the weights of a delta to set back or to train: single weights, MLP neurons, or whole modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from harness.errors import StepFailed
from harness.weights.folder import WeightFolder
from harness.weights.parameter_groups import Granularity, group_parameters, mlp_channels
from harness.weights.scores import Scores
from harness.weights.selection import ChunkSelection, Selection, select_highest, select_share
from harness.weights.stream import Chunk
from harness.weights.weight_delta import BEFORE, WeightDelta


@dataclass(frozen=True, kw_only=True)
class SelectionSize:
    """How much is selected. fraction: of the weights. budget: instead, a share of the sum of all scores, which is
    reached with as few weights as possible."""

    fraction: float
    budget: float | None = None


Scored = Callable[[Sequence[str]], Scores]
"""Returns the scores of some parameters, by their names."""


def select_units(
    scored: Scored, delta: WeightDelta, granularity: Granularity, size: SelectionSize, folder: Path
) -> Selection:
    """Returns the weights with the highest scores, in units. folder: for temporary files.

    coordinate: the weights with the highest scores of the whole model; of equal scores the first. neuron: MLP channels
    by the sum of their scores, and weights outside the MLPs one by one; `size` applies to the two kinds separately.
    module: modules of a layer, or of a parameter outside the layers, by their mean score, until the next one would
    exceed `size`; at least one. Raises StepFailed if there are no neurons, or all scores are 0 and a budget is
    given; CheckpointError where the parameter names of the model are unknown.
    """
    try:
        if granularity == "neuron":
            return _neurons(scored, delta.now, delta.names, size, folder)
        if granularity == "module":
            return _modules(scored, delta.now, delta.names, size)
        return _weights(scored(delta.names), size, folder)
    except ValueError as error:
        raise StepFailed(f"nothing to spend the budget on: {error}") from error


def _weights(scores: Scores, size: SelectionSize, folder: Path) -> Selection:
    if size.budget is not None:
        return select_share(scores, size.budget, carried=BEFORE, folder=folder)
    return select_highest(scores, max(1, round(size.fraction * scores.count)), carried=BEFORE, folder=folder)


def _neurons(scored: Scored, model: WeightFolder, names: Sequence[str], size: SelectionSize, folder: Path) -> Selection:
    eligible = set(names)
    axes = {name: axis for name, axis in mlp_channels(model.shapes()).items() if name in eligible}
    rest = [name for name in names if name not in axes]
    sums = {axis.mlp: torch.zeros(axis.channels, dtype=torch.float64) for axis in axes.values()}
    if not sums:
        raise StepFailed("all parameters of MLPs are excluded, so there are no neurons", where=str(model.folder))
    for chunk, scores in scored(list(axes)):
        _add_channels(sums[axes[chunk.name].mlp], chunk, scores, model.shape(chunk.name)[-1], axes[chunk.name].axis)
    flat = torch.cat(list(sums.values()))
    highest = torch.zeros(len(flat), dtype=torch.bool)
    highest[_highest(flat, size)] = True
    selected = dict(zip(sums, torch.split(highest, [len(values) for values in sums.values()]), strict=True))
    others = _weights(scored(rest), size, folder) if rest else None

    def in_chunk(chunk: Chunk) -> ChunkSelection:
        if axis := axes.get(chunk.name):
            mask = _channel_mask(selected[axis.mlp], chunk, model.shape(chunk.name)[-1], axis.axis)
            return ChunkSelection(np.flatnonzero(mask.numpy()), None)
        assert others is not None
        return others.in_chunk(chunk)

    count = sum(
        int(selected[axis.mlp].sum()) * (model.place(name).count // max(1, axis.channels))
        for name, axis in axes.items()
    )
    outside = others.count if others is not None else 0
    units = {"neurons": int(highest.sum()), "coordinates_outside": outside}
    return Selection(count=count + outside, in_chunk=in_chunk, units=units)


def _add_channels(sums: torch.Tensor, chunk: Chunk, scores: torch.Tensor, columns: int, axis: int) -> None:
    """Adds a chunk's scores to the sums of their channels."""
    first, shift = divmod(chunk.start, columns)
    rows = scores.view(-1, min(chunk.count, columns))  # whole rows, or a part of one
    if axis == -1:
        sums[shift : shift + rows.shape[1]] += rows.sum(0, dtype=torch.float64)
    else:
        sums[first : first + len(rows)] += rows.sum(1, dtype=torch.float64)


def _channel_mask(selected: torch.Tensor, chunk: Chunk, columns: int, axis: int) -> torch.Tensor:
    first, shift = divmod(chunk.start, columns)
    width = min(chunk.count, columns)
    rows = chunk.count // width
    if axis == -1:
        return selected[shift : shift + width].expand(rows, -1).flatten()
    return selected[first : first + rows, None].expand(-1, width).flatten()


def _highest(sums: torch.Tensor, size: SelectionSize) -> torch.Tensor:
    """Returns the indices of the highest sums, of equal ones the first."""
    values, order = sums.sort(descending=True, stable=True)
    if size.budget is None:
        return order[: max(1, round(size.fraction * len(sums)))]
    wanted = size.budget * float(values.sum())
    if wanted <= 0:
        raise ValueError("all scores are 0")
    return order[: int(torch.searchsorted(values.cumsum(0), wanted)) + 1]


def _modules(scored: Scored, model: WeightFolder, names: Sequence[str], size: SelectionSize) -> Selection:
    groups = group_parameters(model.names())
    scores = scored(names)
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for chunk, values in scores:
        module = groups[chunk.name].module
        sums[module] = sums.get(module, 0.0) + float(values.sum(dtype=torch.float64))
        counts[module] = counts.get(module, 0) + chunk.count
    selected: set[str] = set()
    count, undone, total = 0, 0.0, sum(sums.values())
    if size.budget is not None and total <= 0:
        raise ValueError("all scores are 0")
    for module in sorted(sums, key=lambda module: -sums[module] / counts[module]):
        if size.budget is None:
            enough = bool(selected) and count + counts[module] > round(size.fraction * scores.count)
        else:
            enough = undone >= size.budget * total
        if enough:
            break
        selected.add(module)
        count, undone = count + counts[module], undone + sums[module]

    def in_chunk(chunk: Chunk) -> ChunkSelection:
        return ChunkSelection(np.arange(chunk.count if groups[chunk.name].module in selected else 0), None)

    return Selection(count=count, in_chunk=in_chunk, units={"modules": len(selected)})
