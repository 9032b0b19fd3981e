"""Routers of a mixture from hidden states: an expert gets the tokens that are like those of its domains' prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from harness import TrainingDomain
from harness.training import rendered_prompts

_TOKENS_AT_ONCE = 4096


def mean_states(
    model: Any, tokenizer: Any, domains: Mapping[str, TrainingDomain], prompts: int, seed: int
) -> dict[str, Tensor]:
    """Returns the mean input of each MLP over the tokens of each domain's first training prompts, [layers, hidden]."""
    means = {}
    # What enters an MLP is the output of the norm before it.
    with _outputs_of(layer.post_attention_layernorm for layer in model.model.layers) as seen:
        for name, domain in domains.items():
            sums: Tensor | None = None
            count = 0
            for batch in prompt_batches(tokenizer, domain, prompts, seed):
                seen.clear()
                with torch.no_grad():
                    model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
                kept = batch["attention_mask"].bool()
                batch_sums = torch.stack([states[kept].double().sum(dim=0) for states in seen])
                sums = batch_sums if sums is None else sums + batch_sums
                count += int(kept.sum())
            assert sums is not None  # a domain has prompts
            means[name] = sums / count
    return means


def router_weights(means: Sequence[Tensor], sharpness: float) -> Tensor:
    """Returns the routers, [layers, experts, hidden], fp32.

    means: of the MLP inputs of each expert's domains, [layers, hidden]. A row is the direction from the mean of all
    experts to its own, without its part along the mean of all, so that what all tokens share prefers no expert. The
    rows of a layer are scaled together, such that an expert's logit is on average `sharpness` above the mean of the
    others' for its own mean state.
    """
    stacked = torch.stack(list(means), dim=1)  # [layers, experts, hidden]
    center = stacked.mean(dim=1, keepdim=True)
    away = stacked - center
    along = center / center.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    away = away - (away * along).sum(dim=-1, keepdim=True) * along
    rows = away / away.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    logits = torch.einsum("leh,lfh->lef", stacked, rows)  # of the mean state of e, at the expert f
    experts = stacked.shape[1]
    own = torch.diagonal(logits, dim1=1, dim2=2)
    gap = (own - (logits.sum(dim=2) - own) / max(1, experts - 1)).mean(dim=1)
    return (rows * (sharpness / gap.clamp(min=1e-12))[:, None, None]).float()


def prompt_batches(tokenizer: Any, domain: TrainingDomain, prompts: int, seed: int) -> Iterator[dict[str, Tensor]]:
    """Yields batches of the domain's first training prompts, `input_ids` and `attention_mask`, padded on the right."""
    ids = rendered_prompts(tokenizer, domain, prompts, seed)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    at_once = max(1, _TOKENS_AT_ONCE // max(map(len, ids)))
    for first in range(0, len(ids), at_once):
        rows = ids[first : first + at_once]
        width = max(map(len, rows))
        yield {
            "input_ids": torch.tensor([row + [pad] * (width - len(row)) for row in rows]),
            "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
        }


def router_choices(model: Any, batch: Mapping[str, Tensor]) -> Tensor:
    """Returns the first expert of each token of a batch without its padding, [layers, tokens]."""
    with _outputs_of(layer.mlp.gate for layer in model.model.layers) as seen, torch.no_grad():
        model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    choices = torch.stack([logits.argmax(dim=-1).flatten() for logits, *_ in seen])
    return choices[:, batch["attention_mask"].bool().flatten()]


@contextmanager
def _outputs_of(modules: Iterable[Any]) -> Iterator[list[Any]]:
    """Yields a list to which a forward pass appends the output of each module."""
    seen: list[Any] = []

    def note(module: Any, inputs: Any, output: Any) -> None:
        seen.append(output)

    hooks = [module.register_forward_hook(note) for module in modules]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
