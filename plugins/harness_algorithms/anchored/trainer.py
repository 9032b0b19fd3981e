"""TRL's GRPOTrainer with a quadratic penalty on the distance from the step's start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from trl import GRPOTrainer

from harness import StepFailed
from harness.training import sharding_mode, trained_parameters

PENALTY = "anchor_penalty"


class AnchoredTrainer(GRPOTrainer):  # type: ignore[misc]  # TRL is read without types
    """Adds the gradient of strength/2 · Σ Fᵢ (θᵢ − θᵢ_start)² to GRPO's, once per optimizer step, before clipping.

    weigh: returns F by parameter name, and is called by the main process first; None for F = 1. θ_start are the weights
    that the trainer is built with, before a resumable state is loaded. The penalty does not depend on the number of
    passes per step. It is logged as `anchor_penalty` and is not part of the logged loss.
    """

    def __init__(
        self, *args: Any, strength: float, weigh: Callable[[], Mapping[str, Tensor]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if (kind := sharding_mode(self)) is not None:
            raise StepFailed(
                f"anchor: l2 and ewc do not run under {kind}",
                hint="they need all gradients in every process: run in one process or under DDP, or use anchor: kl",
            )
        self._strength = strength
        self._start = {name: p.detach().clone() for name, p in self._trained().items()}
        self._weights: dict[str, Tensor] = {}
        if weigh is not None:
            with self.accelerator.main_process_first():
                diagonal = weigh()
            self._weights = {name: diagonal[name].to(p.device) for name, p in self._start.items()}

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """Returns the loss of the pass, which Trainer logs."""
        loss: Tensor = super().training_step(*args, **kwargs)
        if self.accelerator.sync_gradients:
            self._metrics["train"][PENALTY].append(self._pull())
        return loss

    def _trained(self) -> dict[str, nn.Parameter]:
        return trained_parameters(self)

    @torch.no_grad()
    def _pull(self) -> float:
        """Adds the penalty's gradient to the parameters' and returns the penalty."""
        scaler = self.accelerator.scaler
        scale = scaler.get_scale() if scaler is not None else 1.0  # clipping divides by it
        total = 0.0
        for name, parameter in self._trained().items():
            way = parameter.float() - self._start[name].float()
            pull = way * self._weights[name] if self._weights else way
            total += float((pull * way).double().sum())
            gradient = (self._strength * scale * pull).to(parameter.dtype)
            parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
        return self._strength / 2 * total
