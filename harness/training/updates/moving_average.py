"""The rule that keeps an exponential moving average of the weights, as the anchor of the KL or as the result.

The anchor is stage 1 of WARP (Ramé et al. 2024, arXiv 2406.16768), whose update rate is 1 − decay. Its later stages
merge several trainings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.errors import StepFailed
from harness.training.updates.rule import UpdateRule, Weights
from harness.training.updates.settings import AverageSettings

_FILE = "moving-average.safetensors"


class MovingAverage(UpdateRule):
    """average ← decay · average + (1 − decay) · weights after each optimizer step, in fp32, from the step's start.

    Memory: one fp32 copy of the trained weights. Resumable states store it.
    """

    key = "ema"

    def __init__(self, settings: AverageSettings) -> None:
        self._settings = settings
        self._average: dict[str, Tensor] = {}
        self._anchor: dict[str, Tensor] = {}

    def start(self, trainer: Any, weights: Weights) -> None:
        self._average = {name: parameter.detach().float().clone() for name, parameter in weights.items()}
        if self._settings.is_anchor:
            reference = getattr(trainer, "ref_model", None)
            if reference is None:
                raise StepFailed("ema: the trainer has no reference policy", hint="set beta, or use: final")
            named = dict(trainer.accelerator.unwrap_model(reference).named_parameters())
            self._anchor = {name: named[name] for name in weights}

    @torch.no_grad()
    def after_step(self, weights: Weights) -> None:
        for name, parameter in weights.items():
            self._average[name].lerp_(parameter.float(), 1 - self._settings.decay)
        self._move_anchor()

    def save(self, folder: Path) -> None:
        save_file({name: value.contiguous() for name, value in self._average.items()}, folder / _FILE)

    def load(self, folder: Path) -> None:
        for name, value in load_file(folder / _FILE).items():
            self._average[name].copy_(value)
        self._move_anchor()

    @torch.no_grad()
    def finish(self, weights: Weights) -> None:
        if self._settings.is_final:
            for name, parameter in weights.items():
                parameter.copy_(self._average[name])

    @torch.no_grad()
    def _move_anchor(self) -> None:
        for name, parameter in self._anchor.items():
            parameter.copy_(self._average[name])
