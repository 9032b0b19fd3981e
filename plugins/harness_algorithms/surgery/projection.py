"""The projection of PCGrad and Modular Gradient Surgery, on inner products alone.

Both papers project the gradient of task i off that of task j where the two conflict:
g_i ← g_i − ⟨g_i, g_j⟩ / ‖g_j‖² · g_j for each other task j in random order, g_j being the unprojected one, and sum the
g_i at the end (Yu et al. 2020, arXiv 2001.06782, algorithm 1). Modular Gradient Surgery does so within each module
(arXiv 2602.02301); over one group of all parameters it is PCGrad.

Every g_i on the way is a combination of the original gradients, so their inner products decide everything: what is
projected here are the combination's coefficients, and the gradients themselves are read once and summed once.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

SMALLEST_NORM_SQUARED = 1e-12
"""A gradient no longer than this is projected on by none, as in the code of arXiv 2602.02301."""


def step_generator(seed: int, step: int) -> torch.Generator:
    """Returns the random generator of one optimizer step's orders; hangs on nothing but the two, so a resumed step
    draws the same."""
    digest = hashlib.sha256(f"{seed}/order of projections/{step}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def shuffled_others(groups: int, tasks: int, generator: torch.Generator) -> Tensor:
    """Returns, for each group and task, the other tasks in random order: integers, [groups, tasks, tasks − 1]."""
    keys = torch.rand(groups, tasks, tasks, generator=generator, dtype=torch.float64)
    keys.diagonal(dim1=1, dim2=2).fill_(2.0)  # a task itself comes last and is cut off
    return keys.argsort(dim=2)[:, :, : tasks - 1]


def projected(gram: Tensor, others: Tensor) -> Tensor:
    """Returns each projected gradient as a combination of the original ones: [groups, tasks, tasks], a row a task.

    gram: inner products of the tasks' gradients in each group, float64 [groups, tasks, tasks]. others: the order in
    which each task meets the others, from `shuffled_others`. Summed over its rows, the result has the weights of the
    original gradients in the projected sum.
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
