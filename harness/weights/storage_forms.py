"""The forms in which the store holds a checkpoint as its difference from the parent checkpoint.

A marker file tells the form. A checkpoint is restored to a model folder where it is read; plugins get restored folders
only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from harness.weights.model_folder import ADAPTER_CONFIG, CONFIG, DELTA, check_checkpoint


@dataclass(frozen=True, kw_only=True)
class CheckpointForm:
    """A form of stored checkpoints.

    name: for messages. marker: the file that tells the form. module: has `check(folder)` and
    `restore(parent, folder, output)`, which raise CheckpointError; imported at first use. by_plugin: whether a plugin
    writes the form, and is named in errors about it.
    """

    name: str
    marker: str
    module: str
    by_plugin: bool

    def check(self, folder: Path) -> None:
        """Raises CheckpointError if the files of `folder` are incomplete."""
        self._function("check")(folder)

    def restore(self, parent: Path, folder: Path, output: Path) -> None:
        """Writes the model that `folder` stores to the empty `output`, from the model in `parent`; deterministic."""
        self._function("restore")(parent, folder, output)

    def _function(self, name: str) -> Callable[..., Any]:
        return cast(Callable[..., Any], getattr(import_module(self.module), name))


FORMS = (
    CheckpointForm(name="an adapter", marker=ADAPTER_CONFIG, module="harness.weights.adapter", by_plugin=True),
    CheckpointForm(name="a delta", marker=DELTA, module="harness.weights.delta", by_plugin=False),
)

BELOW = 0.7
"""The largest delta that `auto` stores, as a share of the weight files. A larger one saves too little for a checkpoint
that must be restored from its parents and is lost with any of them."""

KEPT = 2
"""The number of restored models that a run keeps for the next steps: usually a checkpoint and its parent. Others are
restored again when they are read."""


class Deltas(StrEnum):
    """When a step's model is stored as a delta: where it takes at most the share BELOW, never, or always."""

    AUTO = "auto"
    NEVER = "never"
    ALWAYS = "always"


def form_of(folder: Path) -> CheckpointForm | None:
    """Returns the form of the checkpoint in `folder`, None for a complete model."""
    if (folder / CONFIG).is_file():
        return None
    return next((form for form in FORMS if (folder / form.marker).is_file()), None)


def check_stored(folder: Path) -> None:
    """Raises CheckpointError if `folder` holds neither a complete model nor a complete form of one."""
    form = form_of(folder)
    if form is None:
        check_checkpoint(folder)
    else:
        form.check(folder)
