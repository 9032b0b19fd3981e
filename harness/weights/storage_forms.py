"""The forms in which the store may keep a checkpoint for less than a whole model: each stands on its parent checkpoint
and is restored to a model folder when it is needed.

A form is told by a marker file. Plugins never see one as an input: they are handed restored folders only.
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
    """name: for people. marker: the file whose presence tells the form. by_plugin: a plugin leaves it, and is named
    where it fits no parent. module: where its two functions are, imported at first use: `check(folder)` and
    `restore(parent, folder, output)`; both raise CheckpointError."""

    name: str
    marker: str
    module: str
    by_plugin: bool

    def check(self, folder: Path) -> None:
        """Returns where the files of `folder` are whole."""
        self._function("check")(folder)

    def restore(self, parent: Path, folder: Path, output: Path) -> None:
        """Writes to the empty `output` the model that `folder` makes of the model in `parent`: the same, the same."""
        self._function("restore")(parent, folder, output)

    def _function(self, name: str) -> Callable[..., Any]:
        return cast(Callable[..., Any], getattr(import_module(self.module), name))


FORMS = (
    CheckpointForm(name="an adapter", marker=ADAPTER_CONFIG, module="harness.weights.adapter", by_plugin=True),
    CheckpointForm(name="a delta", marker=DELTA, module="harness.weights.delta", by_plugin=False),
)

BELOW = 0.7
"""The share of the weight files that a delta may take to be kept in its place by itself. Above it, what it saves
is not worth that the model is read through its parents, and lost with one of them."""

KEPT = 2
"""Restored models that a run keeps for the steps to come, beside those that the step at work reads: a checkpoint and
its parent, which the next step and the next scores read as methods are walked. Others are restored again."""


class Deltas(StrEnum):
    """When a step's model is kept as a delta: where it is smaller by BELOW, never, or wherever one can be made."""

    AUTO = "auto"
    NEVER = "never"
    ALWAYS = "always"


def form_of(folder: Path) -> CheckpointForm | None:
    """Returns the form that the checkpoint in `folder` is kept in, None for a whole model."""
    if (folder / CONFIG).is_file():
        return None
    return next((form for form in FORMS if (folder / form.marker).is_file()), None)


def check_kept(folder: Path) -> None:
    """Returns where `folder` holds a whole model or a whole form of one. Raises CheckpointError."""
    form = form_of(folder)
    if form is None:
        check_checkpoint(folder)
    else:
        form.check(folder)
