"""Measures the activity of MLP channels on a domain's completions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from harness import TrainingDomain
from harness.training import each_gradient, sample_policy
from harness.weights import mlp_channels
from harness_probes.config import RoutesConfig


def channel_activity(
    folder: Path, domain: TrainingDomain, config: RoutesConfig, *, seed: int
) -> dict[str, torch.Tensor]:
    """Returns, by MLP, each channel's mean activity over the tokens of sampled completions: fp32, [channels].

    a is a channel's input to the projection out of the MLP. `activation`: mean |a|. `attribution`:
    mean |a · ∂ log π(y|x) / ∂a|. Memory: one model and its gradient. Raises CheckpointError if the MLPs of the model
    are unknown.
    """
    model, samples, _ = sample_policy(folder, domain, count=config.completions, seed=seed)
    shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    modules = {
        of.mlp: model.get_submodule(name.removesuffix(".weight"))
        for name, of in mlp_channels(shapes).items()
        if of.output
    }
    entering: dict[str, torch.Tensor] = {}
    handles = [module.register_forward_pre_hook(_recording(entering, name)) for name, module in modules.items()]
    sums: dict[str, torch.Tensor] = {}
    tokens = 0
    try:
        for index in each_gradient(model, samples):
            # A token is predicted from the activations at the position before it.
            part = slice(samples[index].prompt_length - 1, len(samples[index].ids) - 1)
            tokens += part.stop - part.start
            for name, values in entering.items():
                activity = values.detach()[0, part]
                if config.measure == "attribution" and values.grad is not None:
                    activity = activity * values.grad[0, part]
                total = activity.abs().sum(0).cpu()
                sums[name] = sums[name] + total if name in sums else total
    finally:
        for handle in handles:
            handle.remove()
    return {name: value / tokens for name, value in sums.items()}


def _recording(entering: dict[str, torch.Tensor], name: str) -> Callable[[Any, Any], None]:
    def record(module: Any, inputs: Any) -> None:
        if inputs[0].requires_grad:
            inputs[0].retain_grad()
        entering[name] = inputs[0]

    return record
