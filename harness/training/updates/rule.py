"""The interface of update rules, and how they are attached to a TRL trainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from transformers import TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from harness._util.distributed import rank
from harness.errors import StepFailed
from harness.training.trained import sharding_mode, trained_parameters

Weights = Mapping[str, nn.Parameter]
"""The trained parameters by name. A tied weight is one parameter."""


class UpdateRule:
    """What a rule does at each point of a training. By default nothing.

    key: the setting that asks for the rule, for messages. All processes call the methods at the same points, on equal
    weights and gradients, and must change them equally.
    """

    key: str

    def start(self, trainer: Any, weights: Weights) -> None:
        """Called once, when the weights are those that the step starts from, also before a resumed training."""

    def on_gradients(self, weights: Weights) -> None:
        """Called when the gradients of an optimizer step are complete, before they are clipped."""

    def before_step(self, weights: Weights) -> None:
        """Called directly before the optimizer step."""

    def after_step(self, weights: Weights) -> None:
        """Called directly after the optimizer step."""

    def save(self, folder: Path) -> None:
        """Writes what a resumed training needs to the folder of a resumable state. Called by the main process."""

    def load(self, folder: Path) -> None:
        """Reads what `save` wrote. Called before a resumed training, after `start`."""

    def finish(self, weights: Weights) -> None:
        """Called after the last step, before the model is written."""


def attach(trainer: Any, rules: Sequence[UpdateRule]) -> Weights:
    """Starts the rules and connects them to the trainer's steps, in order. Returns the trained parameters.

    Raises StepFailed if the trainer shards weights or gradients.
    """
    if not rules:
        return {}
    kind = sharding_mode(trainer)
    if kind is not None:
        raise StepFailed(
            f"{' and '.join(rule.key for rule in rules)} cannot be used under {kind}",
            hint="all weights and gradients must be in every process: run in one process or under DDP",
        )
    weights = trained_parameters(trainer)
    for rule in rules:
        rule.start(trainer, weights)
    training_step = trainer.training_step

    def step(*arguments: Any, **named: Any) -> Any:
        loss = training_step(*arguments, **named)
        if trainer.accelerator.sync_gradients:
            for rule in rules:
                rule.on_gradients(weights)
        return loss

    trainer.training_step = step
    trainer.add_callback(_AtSteps(rules, weights))
    return weights


class _AtSteps(TrainerCallback):  # type: ignore[misc]  # transformers is read without types
    def __init__(self, rules: Sequence[UpdateRule], weights: Weights) -> None:
        self.rules = rules
        self.weights = weights

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        for rule in self.rules:
            rule.before_step(self.weights)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        for rule in self.rules:
            rule.after_step(self.weights)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if rank() == 0:
            for rule in self.rules:
                rule.save(Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}")
