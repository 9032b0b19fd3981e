"""The projection of PCGrad and Modular Gradient Surgery, computed from inner products alone.

PCGrad removes from the gradient of task i its component along a conflicting gradient of task j:
g_i ← g_i − ⟨g_i, g_j⟩ / ‖g_j‖² · g_j where ⟨g_i, g_j⟩ < 0, for each other task j in random order and with the original
g_j. The sum of the g_i is the step's gradient (Yu et al. 2020, arXiv 2001.06782, algorithm 1). Modular Gradient Surgery
does this within each module (arXiv 2602.02301); with one group of all parameters it is PCGrad.

Every g_i is a linear combination of the original gradients throughout, so only its coefficients are computed here. The
gradients themselves are read once for the inner products, and once for the sum.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

SMALLEST_NORM_SQUARED = 1e-12
"""Gradients with no larger squared norm are not projected away, as in the code of arXiv 2602.02301."""


def step_generator(seed: int, step: int) -> torch.Generator:
    """Returns the random generator for the orders of one optimizer step. It depends on the arguments only, so a resumed
    step draws the same orders."""
    digest = hashlib.sha256(f"{seed}/order of projections/{step}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def shuffled_others(groups: int, tasks: int, generator: torch.Generator) -> Tensor:
    """Returns the other tasks in random order for each group and task: integers, [groups, tasks, tasks − 1]."""
    keys = torch.rand(groups, tasks, tasks, generator=generator, dtype=torch.float64)
    keys.diagonal(dim1=1, dim2=2).fill_(2.0)  # the task itself is sorted last, and cut off
    return keys.argsort(dim=2)[:, :, : tasks - 1]


def projected(gram: Tensor, others: Tensor) -> Tensor:
    """Returns the coefficients of each projected gradient in the original ones, [groups, tasks, tasks]; a row per task.

    gram: inner products of the tasks' gradients in each group, float64 [groups, tasks, tasks]. others: the order of
    projections, from `shuffled_others`. The sum over the rows gives the coefficients of the projected sum.
    """
    groups, tasks, _ = gram.shape
    every = torch.arange(groups)
    norms = gram.diagonal(dim1=1, dim2=2)
    coefficients = torch.eye(tasks, dtype=gram.dtype).repeat(groups, 1, 1)
    for task in range(tasks):
        for place in range(others.shape[2]):
            other = others[:, task, place]
            inner = (coefficients[:, task] * gram[every, :, other]).sum(dim=1)
            norm = norms[every, other]
            conflict = (inner < 0) & (norm > SMALLEST_NORM_SQUARED)
            coefficients[every, task, other] -= torch.where(conflict, inner / norm.clamp(min=SMALLEST_NORM_SQUARED), 0)
    return coefficients
