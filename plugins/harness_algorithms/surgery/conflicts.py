"""Measures of conflict between the domains' gradients, computed from their inner products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor


def cosines(gram: Tensor) -> Tensor:
    """Returns the cosines of the gradients, [groups, tasks, tasks]; NaN where a gradient is zero.

    gram: the inner products, of the same shape.
    """
    norms = gram.diagonal(dim1=1, dim2=2).sqrt()
    return gram / (norms.unsqueeze(1) * norms.unsqueeze(2))


def conflict_metrics(domains: Sequence[str], overall: Tensor, modules: Tensor, projected: Tensor) -> dict[str, float]:
    """Returns the metrics of a step. Metrics that are undefined because a domain has no gradient are left out.

    overall: the inner products over all parameters, [tasks, tasks]. modules: those in each module,
    [modules, tasks, tasks]. projected: the squared norm of the projected gradient, a scalar. For each pair of domains:
    the cosine over all parameters, the mean and minimum of the modules' cosines, the share of modules with a negative
    cosine, and the ratio of the norms, first to second. `conflict_share` covers all pairs and modules.
    """
    whole, parts = cosines(overall.unsqueeze(0))[0], cosines(modules)
    norms = overall.diagonal().sqrt()
    found: dict[str, float] = {}
    in_conflict: list[Tensor] = []
    for a, b in combinations(range(len(domains)), 2):
        pair = f"{domains[a]}|{domains[b]}"
        known = parts[:, a, b][~parts[:, a, b].isnan()]
        if known.numel():
            in_conflict.append(known < 0)
            found[f"surgery/cosine/{pair}"] = float(whole[a, b])
            found[f"surgery/module_cosine_mean/{pair}"] = float(known.mean())
            found[f"surgery/module_cosine_min/{pair}"] = float(known.min())
            found[f"surgery/conflict_share/{pair}"] = float((known < 0).double().mean())
            found[f"surgery/norm_ratio/{pair}"] = float(norms[a] / norms[b])
    if in_conflict:
        found["surgery/conflict_share"] = float(torch.cat(in_conflict).double().mean())
    found["surgery/norm_before"] = math.sqrt(max(0.0, float(overall.sum())))
    found["surgery/norm_after"] = math.sqrt(max(0.0, float(projected)))
    return {name: value for name, value in found.items() if math.isfinite(value)}
