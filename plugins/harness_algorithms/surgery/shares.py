"""Splits a pass over mixed completions into the shares of the domains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harness import StepFailed
from harness_algorithms.surgery.config import Normalizer

DOMAIN = "domain"
"""The key of TRL's inputs that holds the index of each row's domain."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """The rows of one domain in a pass.

    inputs: TRL's inputs for these rows. They are padded with masked rows to the number of rows of the process that has
    the most, since the processes compute their metrics together. present: whether this process has any row of the
    domain. weight: the factor with which the losses of the shares add up to the loss of the pass. entropy_weight: the
    same for the mean entropy, which is a mean over tokens in every loss. tokens: of the domain in all processes.
    """

    domain: int
    inputs: dict[str, Any]
    present: bool
    weight: float
    entropy_weight: float
    tokens: float


def by_domain(inputs: dict[str, Any], domains: int, normalizer: Normalizer, *, processes: int = 1) -> list[Share]:
    """Returns the share of each domain of which any process has rows, in the domains' order.

    normalizer: what the loss is divided by, from `LOSSES`. With several processes, all must call it together. Raises
    StepFailed for inputs with images, whose tensors do not have one row per completion.
    """
    if "pixel_values" in inputs:
        raise StepFailed("gradient surgery cannot split inputs with images by domain")
    here = _rows_and_tokens(inputs, domains)
    everywhere = [torch.empty_like(here) for _ in range(processes)]
    if processes > 1:
        torch.distributed.all_gather(everywhere, here)
    else:
        everywhere = [here]
    (rows, tokens), counts = here.tolist(), torch.stack(everywhere)
    most_rows, all_tokens = counts[:, 0].amax(dim=0).tolist(), counts[:, 1].sum(dim=0).tolist()
    shares = []
    for domain in range(domains):
        if not most_rows[domain]:
            continue
        by_tokens = tokens[domain] / max(sum(tokens), 1.0)
        # A mean over rows counts the padding rows too.
        by_rows = most_rows[domain] / sum(rows)
        shares.append(
            Share(
                domain=domain,
                inputs=_rows_of(inputs, domain, int(most_rows[domain])),
                present=rows[domain] > 0,
                weight={"rows": by_rows, "tokens": by_tokens, "batch": 1.0}[normalizer],
                entropy_weight=by_tokens,
                tokens=all_tokens[domain],
            )
        )
    return shares


def merged_metrics(shares: Sequence[tuple[Share, Mapping[str, Sequence[float]]]]) -> dict[str, float]:
    """Returns the metrics of a pass from those that TRL logged for each share.

    Means are weighted by tokens. Of minima and maxima the minimum and maximum are taken. The policy losses are summed
    with the shares' weights.
    """
    merged: dict[str, float] = {}
    for name in dict.fromkeys(name for _, metrics in shares for name in metrics):
        values = [(share, metrics[name][-1]) for share, metrics in shares if metrics.get(name)]
        known = [(share, value) for share, value in values if not math.isnan(value)]  # NaN where a share has no tokens
        if not known:
            merged[name] = float("nan")
        elif name.endswith("_min"):
            merged[name] = min(value for _, value in known)
        elif name.endswith("_max"):
            merged[name] = max(value for _, value in known)
        elif name == "policy_loss":
            merged[name] = sum(share.weight * value for share, value in known)
        else:
            tokens = sum(share.tokens for share, _ in known)
            merged[name] = sum(share.tokens * value for share, value in known) / tokens if tokens else known[0][1]
    return merged


def _rows_and_tokens(inputs: Mapping[str, Any], domains: int) -> Tensor:
    """Returns the number of rows and of tokens in the loss of each domain: float64 [2, domains]."""
    mask = inputs["completion_mask"]
    if inputs.get("tool_mask") is not None:
        mask = mask * inputs["tool_mask"]
    member = torch.nn.functional.one_hot(inputs[DOMAIN], domains)
    return torch.stack([member.sum(dim=0), (member * mask.sum(dim=1, keepdim=True)).sum(dim=0)]).double()


def _rows_of(inputs: dict[str, Any], domain: int, count: int) -> dict[str, Any]:
    """Returns the rows of `domain`, padded to `count` with masked ones."""
    mine = (inputs[DOMAIN] == domain).nonzero().squeeze(1)
    own = len(mine)
    if own == count == len(inputs[DOMAIN]):
        return inputs
    rows = _selected(inputs, torch.cat([mine, mine.new_zeros(count - own)]))
    if own < count:
        rows["completion_mask"][own:] = 0  # indexing made a copy
    if any("token_type_ids" in key for key in rows):
        return rows  # these cover prompt and completion together, so completions cannot be cut
    return _without_unused_ends(rows)


def _selected(inputs: Mapping[str, Any], indices: Tensor) -> dict[str, Any]:
    def rows(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value[indices] if value.ndim else value
        return [value[index] for index in indices.tolist()] if isinstance(value, list) else value

    return {key: rows(value) for key, value in inputs.items()}


def _without_unused_ends(inputs: dict[str, Any]) -> dict[str, Any]:
    """Removes the columns that no completion of the share reaches. With a causal mask this changes no other column."""
    mask = inputs["completion_mask"]
    width = mask.shape[1]
    used = mask.any(dim=0).nonzero()
    # TRL reads a width of one as one value per row, and would count masked rows.
    needed = max(2, int(used[-1]) + 1 if len(used) else 0)

    def cut(key: str, value: Any) -> Any:
        wide = isinstance(value, Tensor) and value.ndim > 1 and value.shape[1] == width
        return value[:, :needed] if wide and not key.startswith("prompt") else value

    return {key: cut(key, value) for key, value in inputs.items()}
