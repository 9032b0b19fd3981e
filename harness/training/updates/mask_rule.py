"""The rule that keeps all weights outside a mask at their bits, whatever the optimizer does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.errors import StepFailed
from harness.training.updates.mask_file import Mask
from harness.training.updates.rule import UpdateRule, Weights
from harness.weights import WeightFolder


class MaskRule(UpdateRule):
    """Sets the gradients of frozen weights to 0 before clipping, so that the clipped norm is that of the weights that
    train, and restores the frozen weights' bits after each optimizer step, because momentum, weight decay and rounding
    change weights without a gradient too.

    file: see `mask_file`. checkpoint: the model that the step starts from. Memory: a copy of the trained weights and a
    byte per weight.
    """

    def __init__(self, key: str, file: Path, checkpoint: Path) -> None:
        self.key = key
        self._mask = Mask(file)
        self._checkpoint = checkpoint
        self._frozen: dict[str, Tensor] = {}
        self._start: dict[str, Tensor] = {}

    def start(self, trainer: Any, weights: Weights) -> None:
        """Raises StepFailed if the mask is of another model, or the training's dtype would round frozen weights."""
        stored = WeightFolder(self._checkpoint)
        names = set(stored.names())
        unknown = sorted(self._mask.names.difference(weights))
        if unknown:
            raise StepFailed(
                f"{len(unknown)} weights of the mask are no trained parameters, such as {unknown[0]}",
                where=str(self._checkpoint),
                hint=f"{self.key} needs parameters with the names of the stored weights",
            )
        for name, parameter in weights.items():
            dtype = stored.dtype(name) if name in names else parameter.dtype
            if torch.promote_types(dtype, parameter.dtype) != parameter.dtype:
                raise StepFailed(
                    f"{self.key} keeps weights at their bits, and {str(parameter.dtype).removeprefix('torch.')} would"
                    f" round those of the checkpoint, which are {str(dtype).removeprefix('torch.')}",
                    hint=f"set dtype: {str(dtype).removeprefix('torch.')}",
                )
            self._frozen[name] = ~self._mask.changeable(name, parameter.shape).to(parameter.device)
            self._start[name] = parameter.detach().clone()

    def on_gradients(self, weights: Weights) -> None:
        for name, parameter in weights.items():
            if parameter.grad is not None:
                parameter.grad.masked_fill_(self._frozen[name], 0)

    @torch.no_grad()
    def after_step(self, weights: Weights) -> None:
        for name, parameter in weights.items():
            parameter.copy_(torch.where(self._frozen[name], self._start[name], parameter))
