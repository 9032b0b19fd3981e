"""Samples completions of a base model on a domain's prompts, as the first training on the domain would."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from harness.plugin.interfaces import TrainingDomain
from harness.training.sampling import Sample, Sampler
from harness.weights.loading import loaded_model, loaded_tokenizer

AT_ONCE = 64
"""The maximum number of completions per batch. The completions of one prompt are always in one batch."""


class BaseSampler:
    """Samples from the model in a folder. The model is loaded once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        cuda = torch.cuda.is_available()
        model = loaded_model(folder, dtype="auto" if cuda else torch.float32)
        self._model = model.to("cuda" if cuda else "cpu")

    def samples(self, domain: TrainingDomain, prompts: Sequence[Any], *, generations: int, seed: int) -> list[Sample]:
        """Returns `generations` completions per prompt, in order. Does not change torch's global generator."""
        sampler = Sampler(self._model, loaded_tokenizer(self._folder, padding_side="left"), domain.sampled_as())
        at_once = max(1, AT_ONCE // generations)
        samples: list[Sample] = []
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            for start in range(0, len(prompts), at_once):
                samples += sampler.sample(prompts[start : start + at_once], generations=generations)
        return samples
