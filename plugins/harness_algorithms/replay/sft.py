"""The update rule of `replay-sft`: the gradient of supervised examples beside that of GRPO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from harness.training import UpdateRule, Weights
from harness_algorithms.replay.config import ReplaySFTConfig
from harness_algorithms.replay.rollouts import Example, Rollouts

LOSS = "replay_sft_loss"


class SupervisedShare(UpdateRule):
    """Adds the gradient of the supervised loss once per optimizer step, before clipping. It does not depend on the
    passes of the step. The loss is the mean over the examples' completion tokens of −log π, and is logged."""

    key = "replay-sft"

    def __init__(self, replayed: Rollouts, config: ReplaySFTConfig, seed: int) -> None:
        self._rollouts = replayed
        self._examples = config.examples
        self._weight = config.share / (1 - config.share)
        self._per_pass = config.completions_per_device or config.examples
        self._seed = seed
        self._trainer: Any = None

    def start(self, trainer: Any, weights: Weights) -> None:
        self._trainer = trainer

    def on_gradients(self, weights: Weights) -> None:
        trainer = self._trainer
        examples = self._rollouts.of_step(trainer.state.global_step, self._examples, self._seed)
        tokens = sum(len(example.ids) - example.prompt_length for example in examples)
        scaler = trainer.accelerator.scaler
        scale = self._weight * (scaler.get_scale() if scaler is not None else 1.0)  # clipping divides by it
        total = 0.0
        for first in range(0, len(examples), self._per_pass):
            with trainer.compute_loss_context_manager():
                loss = self._negative_log_likelihood(examples[first : first + self._per_pass]) / tokens
            # Not backward(): under DDP, its hooks would reduce the gradients of all processes once more.
            gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
            for parameter, gradient in zip(weights.values(), gradients, strict=True):
                if gradient is not None:
                    added = gradient.mul_(scale)
                    parameter.grad = added if parameter.grad is None else parameter.grad.add_(added)
            total += float(loss.detach())
        trainer._metrics["train"][LOSS].append(total)

    def _negative_log_likelihood(self, examples: Sequence[Example]) -> Tensor:
        """Returns the sum over the completions' tokens of −log π(token | tokens before it)."""
        trainer = self._trainer
        device = trainer.accelerator.device
        width = max(len(example.ids) for example in examples)
        ids = torch.zeros(len(examples), width, dtype=torch.long)
        seen = torch.zeros_like(ids)
        targets = torch.full_like(ids, -100)
        for row, example in enumerate(examples):
            ids[row, : len(example.ids)] = torch.tensor(example.ids)
            seen[row, : len(example.ids)] = 1
            targets[row, example.prompt_length : len(example.ids)] = torch.tensor(example.ids[example.prompt_length :])
        model = trainer.accelerator.unwrap_model(trainer.model)
        logits = model(input_ids=ids.to(device), attention_mask=seen.to(device)).logits[:, :-1].float()
        loss: Tensor = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets[:, 1:].to(device).flatten(), ignore_index=-100, reduction="sum"
        )
        return loss
