"""The model that a step left, looked at before anything is built on it: a fault is told of the plugin that made it."""

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
    """Returns where `model` is a whole model that transformers loads, or a form of one, and all its weights are finite.

    Reads every weight. Raises PluginError where it is none, StepFailed for a weight that is NaN or infinite.
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
            f"left no whole model in its output: {_told(error, model)}",
            where=described(registered),
            hint="a step writes a Hugging Face folder, with its tokenizer, to context.output",
        ) from error
    try:
        check_finite(model, model=whole)
    except CheckpointError as error:
        raise StepFailed(
            f"left a model that cannot be used: {error.message}",
            where=described(registered),
            hint="the step diverged, so running it again as it is ends the same: where it trains, lower learning_rate"
            " or max_grad_norm, or begin from another checkpoint",
        ) from error


def _told(error: CheckpointError, model: Path) -> str:
    """Returns the message, with the file of the model that it is about."""
    place = Path(error.where)
    return f"{place.relative_to(model)}: {error.message}" if model in place.parents else error.message
