"""The rule that scales each step along the directions in which earlier trainings moved a matrix.

After Direction-Aware Capability Subspace Projection (CARE-RL, arXiv 2606.00609): the part of an update that is aligned
with an earlier stage's direction is amplified, the opposing part is shrunk, the rest stays. With `amplify: 0` and
`shrink: 1` no step goes back along an earlier stage's main directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness._util.files import replacing
from harness.plugin.interfaces import LineageEntry
from harness.training.updates.rule import UpdateRule, Weights
from harness.training.updates.settings import SubspaceSettings
from harness.weights import WeightFolder

_EXACT = 512
"""Up to this number of rows or columns, all singular vectors are computed; above it, only the first ones, by random
projections (Halko et al. 2011, arXiv 0909.4061)."""
_OVERSAMPLED, _ITERATIONS = 8, 4
_LEFT, _RIGHT = ".left", ".right"


class SubspaceScaling(UpdateRule):
    """Scales Δ = θ_after − θ_before of each optimizer step, for matrices.

    An earlier training changed a matrix by D ≈ Σ σᵢ uᵢ vᵢᵀ, the first `rank` singular directions. For each direction,
    c = uᵢᵀ Δ vᵢ is the part of the step along the change. It becomes (1 + amplify)·c if c > 0, and (1 − shrink)·c if
    c < 0. Trainings are applied in order, the first one first.

    The finished step is scaled, not the gradient: Adam divides by the root of the squared gradients, so that a
    direction that is shrunk before it is inflated again, by 1/(1 − α) (arXiv 2604.22407).

    Memory: a copy of the trained weights, and rank · (rows + columns) per matrix and earlier training.
    """

    key = "subspace"

    def __init__(self, settings: SubspaceSettings, file: Path) -> None:
        self._settings = settings
        self._file = file
        self._directions: dict[str, list[tuple[Tensor, Tensor]]] = {}
        self._before: dict[str, Tensor] = {}

    def start(self, trainer: Any, weights: Weights) -> None:
        vectors = load_file(self._file)
        for place in sorted((key.removesuffix(_LEFT) for key in vectors if key.endswith(_LEFT)), key=_training_of):
            name = place.partition("/")[2]
            if name in weights:
                device = weights[name].device
                pair = vectors[place + _LEFT].to(device), vectors[place + _RIGHT].to(device)
                self._directions.setdefault(name, []).append(pair)

    @torch.no_grad()
    def before_step(self, weights: Weights) -> None:
        for name in self._directions:
            self._before[name] = weights[name].detach().clone()

    @torch.no_grad()
    def after_step(self, weights: Weights) -> None:
        for name, directions in self._directions.items():
            parameter, before = weights[name], self._before.pop(name).float()
            step = parameter.float() - before
            parameter.copy_(before + self._scaled(step, directions))

    def _scaled(self, step: Tensor, directions: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Returns a step after the scaling along the directions of each earlier training."""
        for left, right in directions:
            along = torch.einsum("mk,mn,nk->k", left, step, right)
            factor = torch.where(along > 0, self._settings.amplify, -self._settings.shrink)
            step = step + (left * (factor * along)) @ right.T
        return step


def write_directions(lineage: Sequence[LineageEntry], rank: int, file: Path) -> int:
    """Writes the first singular directions of each earlier training's change of each matrix to `file`. Returns the
    number of trainings. Reads one matrix of two checkpoints at a time. Does not change torch's global generator."""
    trainings = [entry for entry in lineage if entry.step and entry.domains]
    found: dict[str, Tensor] = {}
    for number, entry in enumerate(trainings):
        after, before = WeightFolder(entry.folder), WeightFolder(lineage[entry.step - 1].folder)
        for name in after.names():
            if len(after.shape(name)) != 2 or name not in before.names():
                continue
            change = after.read(name).float() - before.read(name).float()
            if bool(change.any()):
                left, right = _main_directions(change, rank)
                found[f"{number}/{name}{_LEFT}"], found[f"{number}/{name}{_RIGHT}"] = left, right
    if trainings:
        with replacing(file) as temporary:
            save_file(found, temporary)
    return len(trainings)


def _main_directions(change: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Returns the singular vectors of the `rank` largest singular values: [rows, rank] and [columns, rank], fp32."""
    smallest = min(change.shape)
    rank = min(rank, smallest)
    if smallest <= max(_EXACT, rank + _OVERSAMPLED):
        left, _, right = torch.linalg.svd(change, full_matrices=False)
        return left[:, :rank].contiguous(), right[:rank].T.contiguous()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        left, _, right = torch.svd_lowrank(change, q=rank + _OVERSAMPLED, niter=_ITERATIONS)
    return left[:, :rank].contiguous(), right[:, :rank].contiguous()


def _training_of(place: str) -> int:
    """Returns the number of the earlier training in the name of a stored matrix."""
    return int(place.partition("/")[0])
