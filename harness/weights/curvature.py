"""The importance of each weight of a checkpoint, from a curvature that is stored as a folder of tensors."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from harness.errors import CheckpointError
from harness.weights.folder import WeightFolder
from harness.weights.parameter_groups import group_parameters
from harness.weights.stream import CHUNK, Chunk, Stream
from harness.weights.threads import over_chunks

Level = Literal["weight", "module", "model"]
"""Over what the curvature is averaged: not at all, over a module of a layer, or over the model."""


@dataclass(frozen=True, kw_only=True)
class Curvature:
    """A curvature F ≥ 0: tensors with the names and shapes of a model's weights. sums: ΣF of each tensor, by name."""

    folder: WeightFolder
    sums: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much each weight of one checkpoint counts: factor · F^power / total, or `constant` by the tensor's name.

    A curvature that is 0 everywhere says nothing about the weights, so all of them count the same: `known` is false.
    """

    factor: float = 1.0
    curvature: WeightFolder | None = None
    power: float = 1.0
    total: float = 1.0
    constant: Mapping[str, float] | None = None
    known: bool = True

    def of_tensor(self, name: str) -> float | None:
        """Returns what every weight of the tensor counts, None if they differ."""
        if self.curvature is not None:
            return None
        return self.factor if self.constant is None else self.constant[name]

    def write(self, raw: torch.Tensor, out: torch.Tensor) -> None:
        """Writes the importance of some weights to `out`, in fp64, from their curvature."""
        out.copy_(raw)
        if self.power != 1:
            out.pow_(self.power)
        out.div_(self.total)
        if self.factor != 1:
            out.mul_(self.factor)


def importance(
    curvature: Curvature,
    counts: Mapping[str, int],
    *,
    factor: float = 1.0,
    power: float = 1.0,
    level: Level = "weight",
    normalize: bool = True,
) -> Importance:
    """Returns the importance of each weight: factor · F^power, F averaged over `level`.

    counts: the number of weights of each tensor, by name. normalize: divides by the sum over all weights. Reads the
    curvature only for a power other than 1 of single weights. Raises CheckpointError if the curvature lacks a tensor or
    is not finite.
    """
    _check(curvature, counts)
    if level == "weight":
        sums = curvature.sums if power == 1 else _sums_of_powers(curvature.folder, list(counts), power)
        total = math.fsum(sums[name] for name in counts)
        if total == 0:
            return _unknown(counts, factor, normalize)
        return Importance(factor=factor, curvature=curvature.folder, power=power, total=total if normalize else 1.0)
    groups = {name: group.module for name, group in group_parameters(counts).items()} if level == "module" else {}
    means = _means(curvature.sums, counts, lambda name: groups.get(name, ""))
    values = {name: means[groups.get(name, "")] ** power for name in counts}
    total = math.fsum(value * counts[name] for name, value in values.items())
    if total == 0:
        return _unknown(counts, factor, normalize)
    scale = factor / total if normalize else factor
    return Importance(factor=factor, constant={name: value * scale for name, value in values.items()})


def _unknown(counts: Mapping[str, int], factor: float, normalize: bool) -> Importance:
    everywhere = factor / sum(counts.values()) if normalize else 0.0
    return Importance(factor=factor, constant=dict.fromkeys(counts, everywhere), known=False)


def _means(sums: Mapping[str, float], counts: Mapping[str, int], group_of: Callable[[str], str]) -> dict[str, float]:
    members: dict[str, list[str]] = defaultdict(list)
    for name in counts:
        members[group_of(name)].append(name)
    return {
        group: math.fsum(sums[name] for name in names) / sum(counts[name] for name in names)
        for group, names in members.items()
    }


def _sums_of_powers(folder: WeightFolder, names: list[str], power: float) -> dict[str, float]:
    stream = Stream([folder], names, chunk=CHUNK)

    def start(stream: Stream) -> Callable[[Chunk], float]:
        return lambda chunk: float(stream.raw(0, chunk).double().pow_(power).sum())

    parts: dict[str, list[float]] = defaultdict(list)
    for chunk, value in zip(stream.chunks, over_chunks(stream, start), strict=True):
        parts[chunk.name].append(value)
    sums = {name: math.fsum(parts[name]) for name in names}
    _check_sums(sums, folder)
    return sums


def _check(curvature: Curvature, counts: Mapping[str, int]) -> None:
    missing = sorted(set(counts) - set(curvature.folder.names()))
    if missing:
        raise CheckpointError(
            f"the curvature has no tensor {missing[0]} (of {len(missing)} that it lacks)",
            where=str(curvature.folder.folder),
        )
    for name, count in counts.items():
        if curvature.folder.place(name).count != count:
            raise CheckpointError(
                f"{name} has {count} weights, and its curvature {curvature.folder.place(name).count}",
                where=str(curvature.folder.folder),
            )
    _check_sums({name: curvature.sums[name] for name in counts}, curvature.folder)


def _check_sums(sums: Mapping[str, float], folder: WeightFolder) -> None:
    for name, value in sums.items():
        if not math.isfinite(value) or value < 0:
            raise CheckpointError(
                f"the curvature of {name} sums to {value}",
                where=str(folder.folder),
                hint="a gradient overflowed, or the training that wrote the checkpoint diverged",
            )
