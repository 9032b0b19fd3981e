"""A pass over mixed completions, taken apart into each domain's share of it."""

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
"""The key of TRL's inputs under which each row's domain stands, as an index."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """The rows of one domain in a pass.

    inputs: TRL's inputs cut to these rows, and filled up with rows whose completion is masked out to as many as the
    process with most has, for the processes compute their metrics together. present: whether any row is the domain's.
    weight: the factor that makes the shares' losses add up to the loss of the whole pass. entropy_weight: the same for
    the mean entropy, a mean over tokens in every loss. tokens: those of the domain in the passes of all processes.
    """

    domain: int
    inputs: dict[str, Any]
    present: bool
    weight: float
    entropy_weight: float
    tokens: float


def by_domain(inputs: dict[str, Any], domains: int, normalizer: Normalizer, *, processes: int = 1) -> list[Share]:
    """Returns the share of each domain that any process has rows of, in the domains' order.

    normalizer: what the loss divides by, from `LOSSES`. With more than one process, all of them must call it together.
    Raises StepFailed on inputs with images, whose tensors have no row for each completion.
    """
    if "pixel_values" in inputs:
        raise StepFailed("gradient surgery cannot take inputs with images apart by domain")
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
        # A mean over rows counts those that only fill up too.
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
    """Returns one value a metric from those that TRL noted for each share, as it would note it for the whole pass.

    Means are weighted by tokens; minima and maxima are taken; the policy's losses are summed by the shares' weights.
    """
    merged: dict[str, float] = {}
    for name in dict.fromkeys(name for _, metrics in shares for name in metrics):
        values = [(share, metrics[name][-1]) for share, metrics in shares if metrics.get(name)]
        known = [(share, value) for share, value in values if not math.isnan(value)]  # without tokens
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
    """Returns the rows and the loss's tokens of each domain, float64 [2, domains]."""
    mask = inputs["completion_mask"]
    if inputs.get("tool_mask") is not None:
        mask = mask * inputs["tool_mask"]
    member = torch.nn.functional.one_hot(inputs[DOMAIN], domains)
    return torch.stack([member.sum(dim=0), (member * mask.sum(dim=1, keepdim=True)).sum(dim=0)]).double()


def _rows_of(inputs: dict[str, Any], domain: int, count: int) -> dict[str, Any]:
    """Returns the rows of `domain`, filled up to `count` with masked ones."""
    mine = (inputs[DOMAIN] == domain).nonzero().squeeze(1)
    own = len(mine)
    if own == count == len(inputs[DOMAIN]):
        return inputs
    taken = _taken(inputs, torch.cat([mine, mine.new_zeros(count - own)]))
    if own < count:
        taken["completion_mask"][own:] = 0  # indexing made a copy
    if any("token_type_ids" in key for key in taken):
        return taken  # these run over prompt and completion, so no end of a completion can be cut off them
    return _without_unused_ends(taken)


def _taken(inputs: Mapping[str, Any], indices: Tensor) -> dict[str, Any]:
    def rows(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value[indices] if value.ndim else value
        return [value[index] for index in indices.tolist()] if isinstance(value, list) else value

    return {key: rows(value) for key, value in inputs.items()}


def _without_unused_ends(inputs: dict[str, Any]) -> dict[str, Any]:
    """Cuts off what no completion of the share reaches; under a causal mask nothing before it changes."""
    mask = inputs["completion_mask"]
    width = mask.shape[1]
    used = mask.any(dim=0).nonzero()
    # TRL takes a width of one for a value a row, and would count masked rows.
    kept = max(2, int(used[-1]) + 1 if len(used) else 0)

    def cut(key: str, value: Any) -> Any:
        wide = isinstance(value, Tensor) and value.ndim > 1 and value.shape[1] == width
        return value[:, :kept] if wide and not key.startswith("prompt") else value

    return {key: cut(key, value) for key, value in inputs.items()}
