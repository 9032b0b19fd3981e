"""The probe `direction-agreement`: do two steps' weight deltas agree on the routes that their domains share?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import torch

from harness import LineageEntry, Probe, ProbeContext
from harness.weights import WeightFolder, check_same_tensors, mlp_channels
from harness_probes.channels import top_channels
from harness_probes.config import RoutesConfig
from harness_probes.places import entry_at
from harness_probes.routes import channel_activity

Step = tuple[LineageEntry, LineageEntry]
Channels = Mapping[str, torch.Tensor]


class DirectionAgreement(Probe):
    """Cosine and sign agreement of two steps' weight deltas on the channels that both domains use.

    δ = θ_after − θ_before of a step. Measures of a set of weights: the cosine ⟨δ_A, δ_B⟩ / (‖δ_A‖ ‖δ_B‖), and the share
    of the weights changed by both steps that both changed in the same direction, 0.5 by chance. Sets: `shared-routes`,
    the weights of the channels that are active routes of both domains (defined by `active-routes`); `random`, as many
    random channels; `all`, every weight. arXiv 2606.02398 claims that the directions on shared routes decide between
    synergy and conflict; the measure is ours. One row per set and per pair of steps that each trained one domain.
    Memory: one model and its gradient, then one tensor of four checkpoints.
    """

    def __init__(self, config: RoutesConfig) -> None:
        self.config = config

    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        steps = [
            (before, after)
            for before, after in zip(context.lineage, context.lineage[1:], strict=False)
            if len(after.domains) == 1
        ]
        entry = entry_at(context, self.config.at)
        names = list(dict.fromkeys(after.domains[0] for _, after in steps))
        activity: dict[str, dict[str, torch.Tensor]] = {}
        for done, name in enumerate(names):
            context.progress(done, len(names), {})
            activity[name] = channel_activity(entry.folder, context.domains[name], self.config, seed=context.seed)
        rows = []
        for first, second in combinations(steps, 2):
            one, other = activity[first[1].domains[0]], activity[second[1].domains[0]]
            shared = top_channels(one, self.config.top_share) & top_channels(other, self.config.top_share)
            sets: dict[str, Channels | None] = {
                "shared-routes": _masks(one, shared),
                "random": _masks(one, _random_channels(one, len(shared), context.seed)),
                "all": None,
            }
            for kind, channels in sets.items():
                rows.append(_row(first, second, kind, channels) | {"at_step": entry.step})
        return rows


def _masks(like: Channels, chosen: set[tuple[str, int]]) -> Channels:
    masks = {name: torch.zeros(len(values), dtype=torch.bool) for name, values in like.items()}
    for name, index in chosen:
        masks[name][index] = True
    return masks


def _random_channels(like: Channels, count: int, seed: int) -> set[tuple[str, int]]:
    places = [(name, index) for name in sorted(like) for index in range(len(like[name]))]
    generator = torch.Generator().manual_seed(seed)
    return {places[index] for index in torch.randperm(len(places), generator=generator)[:count].tolist()}


def _row(first: Step, second: Step, kind: str, channels: Channels | None) -> dict[str, Any]:
    folders = [WeightFolder(entry.folder) for entry in (*first, *second)]
    for other in folders[1:]:
        check_same_tensors(folders[0], other)
    dot = squares = other_squares = 0.0
    coordinates = moved = same = 0
    axes = mlp_channels(folders[0].shapes()) if channels is not None else {}
    for name in axes or folders[0].names():
        values = [folder.read(name).float() for folder in folders]
        one, other = values[1] - values[0], values[3] - values[2]
        if channels is not None:
            index = channels[axes[name].mlp].nonzero().flatten()
            one, other = one.index_select(axes[name].axis, index), other.index_select(axes[name].axis, index)
        dot += float((one.double() * other.double()).sum())
        squares += float(one.double().square().sum())
        other_squares += float(other.double().square().sum())
        sign = one.sign() * other.sign()
        coordinates += one.numel()
        moved += int((sign != 0).sum())
        same += int((sign > 0).sum())
    norms = math.sqrt(squares * other_squares)
    return {
        "step": first[1].step,
        "label": first[1].label,
        "other_step": second[1].step,
        "other_label": second[1].label,
        "coordinates_of": kind,
        "coordinates": coordinates,
        "cosine": dot / norms if norms else None,
        "same_sign_share": same / moved if moved else None,
        "edit_norm": math.sqrt(squares),
        "other_edit_norm": math.sqrt(other_squares),
    }
