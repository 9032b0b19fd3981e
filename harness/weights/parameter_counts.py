"""The number of a model's parameters, and of those that work on one token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness._util.json_reading import parse_json
from harness.weights.folder import WeightFolder
from harness.weights.model_folder import CONFIG

_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
"""The keys of a config.json with the number of experts: Mixtral's, Qwen's and DeepSeek's."""


@dataclass(frozen=True, kw_only=True)
class ParameterCounts:
    """total: of all weights, with tied ones counted once. active: without the experts of a mixture that a token does
    not use, so equal to `total` for a dense model."""

    total: int
    active: int


def count_parameters(folder: Path) -> ParameterCounts:
    """Returns the counts of the model in a folder. Reads headers only. Raises CheckpointError if it is no model."""
    weights = WeightFolder(folder)
    config = parse_json((folder / CONFIG).read_bytes())
    counts = {name: weights.place(name).count for name in weights.names()}
    total = sum(counts.values())
    experts = next((config[key] for key in _EXPERTS if config.get(key)), None)
    if not experts:
        return ParameterCounts(total=total, active=total)
    routed = sum(count for name, count in counts.items() if ".experts." in name)
    return ParameterCounts(total=total, active=total - routed + routed // experts * config["num_experts_per_tok"])
