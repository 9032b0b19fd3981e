"""Sets of MLP intermediate channels, the neurons of arXiv 2606.02398."""

from __future__ import annotations

import torch

from harness.weights import WeightFolder, mlp_channels


def channel_deltas(before: WeightFolder, after: WeightFolder) -> dict[str, torch.Tensor]:
    """Returns, by MLP, the Euclidean norm of each channel's weight delta over all projections: fp32, [channels].

    Memory: one tensor of each checkpoint. Raises CheckpointError if the MLPs of the model are unknown.
    """
    squares: dict[str, torch.Tensor] = {}
    for name, of in mlp_channels(before.shapes()).items():
        delta = (after.read(name).float() - before.read(name).float()).square()
        by_channel = delta.sum(-3 - of.axis) if delta.ndim > 1 else delta
        squares[of.mlp] = squares[of.mlp] + by_channel if of.mlp in squares else by_channel
    return {mlp: value.sqrt() for mlp, value in squares.items()}


def top_channels(values: dict[str, torch.Tensor], share: float) -> set[tuple[str, int]]:
    """Returns the `share` of all channels with the highest values, at least one, as (MLP, index); of ties the first."""
    names = sorted(values)
    flat = torch.cat([values[name] for name in names])
    order = torch.sort(flat, descending=True, stable=True).indices[: max(1, round(share * len(flat)))]
    places = [(name, index) for name in names for index in range(len(values[name]))]
    return {places[index] for index in order.tolist()}


def jaccard(first: set[tuple[str, int]], second: set[tuple[str, int]]) -> float:
    """Returns |A ∩ B| / |A ∪ B|, from 0 to 1."""
    return len(first & second) / len(first | second)


def chance_jaccard(share: float) -> float:
    """Returns p / (2 − p), the expected Jaccard index of two random sets of share p: 0.053 at 10 %. Derived by us, for
    many channels."""
    return share / (2 - share)
