"""Which coordinates go back: single ones, MLP neurons, or whole modules, as many as a fraction or a budget allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from harness import StepFailed
from harness.weights import (
    Chunk,
    Scores,
    Selection,
    Taken,
    WeightFolder,
    group_parameters,
    mlp_channels,
    select_highest,
    select_share,
)
from harness_recoveries.rollback.config import Granularity
from harness_recoveries.rollback.edit import BEFORE, Edit


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much goes back: a share of the coordinates, or the fewest that make up a share of the scores' sum."""

    fraction: float
    budget: float | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """count: the coordinates taken. units: the neurons or modules among them. taken: those of a chunk, with their
    values before the edit where these are at hand; several threads may ask."""

    count: int
    taken: Callable[[Chunk], Taken]
    units: dict[str, int] = field(default_factory=dict)


Scored = Callable[[Sequence[str]], Scores]
"""Returns the scores of some of the parameters."""


def choose(scored: Scored, edit: Edit, granularity: Granularity, size: Size, folder: Path) -> Choice:
    """Returns the coordinates to set back. folder: for temporary files.

    coordinate: those with the highest scores of the whole model, the first of equal ones. neuron: an MLP's intermediate
    channel, a row of gate and up and a column of down, by the sum of its scores; the coordinates outside the MLPs, such
    as attention's, go one by one; fraction and budget hold for both kinds apart. module: a layer's attention or MLP, or
    a parameter outside the layers, by its mean score, in order until the next does not fit; at least one.
    Raises StepFailed where there are no neurons, or no damage to spend a budget on.
    """
    try:
        if granularity == "neuron":
            return _neurons(scored, edit.now, edit.names, size, folder)
        if granularity == "module":
            return _modules(scored, edit.now, edit.names, size)
        return _coordinates(scored(edit.names), size, folder)
    except ValueError as error:
        raise StepFailed(f"nothing to spend the budget on: {error}") from error


def _coordinates(scores: Scores, size: Size, folder: Path) -> Choice:
    selection = _selected(scores, size, folder)
    return Choice(count=selection.count, taken=selection.taken)


def _selected(scores: Scores, size: Size, folder: Path) -> Selection:
    if size.budget is not None:
        return select_share(scores, size.budget, carried=BEFORE, folder=folder)
    return select_highest(scores, max(1, round(size.fraction * scores.count)), carried=BEFORE, folder=folder)


def _neurons(scored: Scored, model: WeightFolder, names: Sequence[str], size: Size, folder: Path) -> Choice:
    eligible = set(names)
    axes = {name: axis for name, axis in mlp_channels(model.shapes()).items() if name in eligible}
    rest = [name for name in names if name not in axes]
    sums = {axis.mlp: torch.zeros(axis.channels, dtype=torch.float64) for axis in axes.values()}
    if not sums:
        raise StepFailed("no parameter of an MLP may go back, so there are no neurons", where=str(model.folder))
    for chunk, scores in scored(list(axes)):
        _add_channels(sums[axes[chunk.name].mlp], chunk, scores, model.shape(chunk.name)[-1], axes[chunk.name].axis)
    flat = torch.cat(list(sums.values()))
    taken = torch.zeros(len(flat), dtype=torch.bool)
    taken[_best(flat, size)] = True
    chosen = dict(zip(sums, torch.split(taken, [len(values) for values in sums.values()]), strict=True))
    others = _selected(scored(rest), size, folder) if rest else None

    def of(chunk: Chunk) -> Taken:
        if axis := axes.get(chunk.name):
            mask = _channel_mask(chosen[axis.mlp], chunk, model.shape(chunk.name)[-1], axis.axis)
            return Taken(np.flatnonzero(mask.numpy()), None)
        assert others is not None
        return others.taken(chunk)

    count = sum(
        int(chosen[axis.mlp].sum()) * (model.place(name).count // max(1, axis.channels)) for name, axis in axes.items()
    )
    alone = others.count if others is not None else 0
    return Choice(count=count + alone, taken=of, units={"neurons": int(taken.sum()), "coordinates_outside": alone})


def _add_channels(sums: torch.Tensor, chunk: Chunk, scores: torch.Tensor, columns: int, axis: int) -> None:
    """Adds a chunk's scores to their channels."""
    first, shift = divmod(chunk.start, columns)
    rows = scores.view(-1, min(chunk.count, columns))  # whole rows, or a part of one
    if axis == -1:
        sums[shift : shift + rows.shape[1]] += rows.sum(0, dtype=torch.float64)
    else:
        sums[first : first + len(rows)] += rows.sum(1, dtype=torch.float64)


def _channel_mask(chosen: torch.Tensor, chunk: Chunk, columns: int, axis: int) -> torch.Tensor:
    first, shift = divmod(chunk.start, columns)
    width = min(chunk.count, columns)
    rows = chunk.count // width
    if axis == -1:
        return chosen[shift : shift + width].expand(rows, -1).flatten()
    return chosen[first : first + rows, None].expand(-1, width).flatten()


def _best(sums: torch.Tensor, size: Size) -> torch.Tensor:
    """Returns the units with the highest sums, the first of equal ones."""
    values, order = sums.sort(descending=True, stable=True)
    if size.budget is None:
        return order[: max(1, round(size.fraction * len(sums)))]
    wanted = size.budget * float(values.sum())
    if wanted <= 0:
        raise ValueError("all scores are 0")
    return order[: int(torch.searchsorted(values.cumsum(0), wanted)) + 1]


def _modules(scored: Scored, model: WeightFolder, names: Sequence[str], size: Size) -> Choice:
    groups = group_parameters(model.names())
    scores = scored(names)
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for chunk, values in scores:
        module = groups[chunk.name].module
        sums[module] = sums.get(module, 0.0) + float(values.sum(dtype=torch.float64))
        counts[module] = counts.get(module, 0) + chunk.count
    order = sorted(sums, key=lambda module: -sums[module] / counts[module])
    chosen: set[str] = set()
    taken, undone, total = 0, 0.0, sum(sums.values())
    if size.budget is not None and total <= 0:
        raise ValueError("all scores are 0")
    for module in order:
        if size.budget is None:
            enough = bool(chosen) and taken + counts[module] > round(size.fraction * scores.count)
        else:
            enough = undone >= size.budget * total
        if enough:
            break
        chosen.add(module)
        taken, undone = taken + counts[module], undone + sums[module]
    return Choice(
        count=taken,
        taken=lambda chunk: Taken(np.arange(chunk.count if groups[chunk.name].module in chosen else 0), None),
        units={"modules": len(chosen)},
    )
