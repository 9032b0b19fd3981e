"""Checks the model of a step before other steps use it, so that a fault is attributed to the right plugin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import CheckpointError, PluginError, StepFailed
from harness.execution.plugin_instances import described
from harness.weights.model_folder import check_checkpoint
from harness.weights.storage_forms import check_stored, form_of

if TYPE_CHECKING:
    from harness.plugin.registry import RegisteredPlugin


def check_output(model: Path, registered: RegisteredPlugin) -> None:
    """Checks that `model` is a complete model that transformers can load, or a stored form of one, with finite weights.

    Reads every weight. Raises PluginError if it is not a model, StepFailed if a weight is NaN or infinite.
    """
    from harness.weights import WeightFolder, check_stored_once
    from harness.weights.loading import check_finite, check_loads

    whole = form_of(model) is None
    try:
        (check_stored if registered.kind == "algorithm" else check_checkpoint)(model)
        if whole:
            check_loads(model)
            check_stored_once(WeightFolder(model))
    except CheckpointError as error:
        raise PluginError(
            f"left no whole model in its output: {_text(error, model)}",
            where=described(registered),
            hint="a step writes a Hugging Face folder, with its tokenizer, to context.output",
        ) from error
    try:
        check_finite(model, model=whole)
    except CheckpointError as error:
        raise StepFailed(
            f"left a model that cannot be used: {error.message}",
            where=described(registered),
            hint="the step diverged, so it fails again without a change; if it trains, lower learning_rate"
            " or max_grad_norm, or begin from another checkpoint",
        ) from error


def _text(error: CheckpointError, model: Path) -> str:
    """Returns the message with the name of the affected file of the model."""
    place = Path(error.where)
    return f"{place.relative_to(model)}: {error.message}" if model in place.parents else error.message
