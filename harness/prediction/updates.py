"""How much the updates of two domains have in common: the overlap of touched weights, the distance of covariances."""

from __future__ import annotations

import math

import torch

from harness.prediction.vectors import parts

TOUCHED = 0.1
"""The share of weights that count as touched: those with the largest updates."""


def overlap(model: torch.nn.Module, first: torch.Tensor, second: torch.Tensor) -> float:
    """Returns the Jaccard index of the weights that two updates touch most, in percent.

    Those are a share `TOUCHED` of each parameter tensor, which bounds memory. M2RL (arXiv 2602.12566) computes the
    index from trained experts, from the weights that changed.
    """
    both = either = 0
    for updates in zip(parts(model, first), parts(model, second), strict=True):
        one, two = map(_touched, updates)
        both += int((one & two).sum())
        either += int((one | two).sum())
    return 100 * both / either


def _touched(update: torch.Tensor) -> torch.Tensor:
    flat = update.flatten().abs()
    found = torch.zeros(len(flat), dtype=torch.bool)
    found[flat.topk(max(1, round(TOUCHED * len(flat)))).indices] = True
    return found


def bures_wasserstein(model: torch.nn.Module, first: torch.Tensor, second: torch.Tensor) -> float:
    """Returns the Bures–Wasserstein distance of the covariances of two updates, flat vectors over the model's weights.

    The covariance of a module's update Δ (outputs × inputs) is ΔᵀΔ. Squared distances are summed over all matrices:
    d² = ‖Δ₁‖² + ‖Δ₂‖² − 2 ‖Δ₁Δ₂ᵀ‖_*, because the trace of the square root of √Σ₁ Σ₂ √Σ₁ is the nuclear norm of Δ₁Δ₂ᵀ.
    Vectors, such as norms and biases, are left out.
    """
    squared = 0.0
    for one, two in zip(parts(model, first), parts(model, second), strict=True):
        if one.dim() != 2:
            continue
        common = torch.linalg.matrix_norm(_square(one) @ _square(two).mT, ord="nuc")
        squared += float(one.square().sum() + two.square().sum() - 2 * common)
    return math.sqrt(max(squared, 0.0))


def _square(update: torch.Tensor) -> torch.Tensor:
    """Returns a matrix with the same covariance and at most as many rows as columns."""
    return torch.linalg.qr(update, mode="r").R if update.shape[0] > update.shape[1] else update
