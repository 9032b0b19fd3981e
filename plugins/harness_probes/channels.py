"""MLP intermediate channels, the neurons of arXiv 2606.02398: their parameters, and sets of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import torch

from harness import StepFailed
from harness.weights import WeightFolder

_PROJECTION = re.compile(r"^(?P<mlp>.*\bmlp)\.(?P<part>gate_proj|up_proj|down_proj)\.weight$")


def mlp_projections(names: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """Yields each MLP projection: its parameter's name, its MLP's, and the dimension that its channels lie along.

    A channel is a row of gate and up and a column of down. Raises StepFailed where there is no such projection.
    """
    found = False
    for name in names:
        if match := _PROJECTION.match(name):
            found = True
            yield name, match["mlp"], 1 if match["part"] == "down_proj" else 0
    if not found:
        raise StepFailed(
            "the model has no MLP with gate_proj, up_proj and down_proj",
            hint="neurons are measured on decoders of the Llama and Qwen kind",
        )


def channel_edits(before: WeightFolder, after: WeightFolder) -> dict[str, torch.Tensor]:
    """Returns, by MLP, the Euclidean norm of each channel's edit over gate, up and down, in fp32.

    Memory: one tensor of each checkpoint at a time.
    """
    squares: dict[str, torch.Tensor] = {}
    for name, mlp, dimension in mlp_projections(before.names()):
        edit = after.read(name).float() - before.read(name).float()
        by_channel = edit.square().sum(1 - dimension)
        squares[mlp] = squares[mlp] + by_channel if mlp in squares else by_channel
    return {mlp: value.sqrt() for mlp, value in squares.items()}


def top_channels(values: dict[str, torch.Tensor], share: float) -> set[tuple[str, int]]:
    """Returns the `share` of all channels with the highest values, at least one; of equals, the first."""
    names = sorted(values)
    flat = torch.cat([values[name] for name in names])
    order = torch.sort(flat, descending=True, stable=True).indices[: max(1, round(share * len(flat)))]
    places = [(name, index) for name in names for index in range(len(values[name]))]
    return {places[index] for index in order.tolist()}


def jaccard(first: set[tuple[str, int]], second: set[tuple[str, int]]) -> float:
    """Returns |A ∩ B| / |A ∪ B|, from 0 to 1."""
    return len(first & second) / len(first | second)


def chance_jaccard(share: float) -> float:
    """Returns p / (2 − p), the Jaccard index of two random sets of share p, for many channels: 0.053 at 10 %."""
    return share / (2 - share)
