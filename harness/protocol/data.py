"""A protocol once it is read and checked: every plugin found, every config validated and filled with its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import Problem, ProtocolError
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.source import KeyPath, key_text


@dataclass(frozen=True, kw_only=True)
class DeclaredDomain:
    """A domain of the protocol: its column's name, its plugin, and the reward it is trained with.

    chat_template: whether its items are scored through the model's chat template.
    """

    name: str
    plugin: PluginRef
    reward: PluginRef
    chat_template: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainStep:
    """A training on one domain or several. domains: weights by name, ordered by name."""

    label: str
    algorithm: PluginRef
    domains: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class RecoverStep:
    """A recovery of `target`.

    peak: index into the method's lineage (0 is the base) of the last *train* step on the target. An earlier recovery of
    it, also one that trains, is no peak: what is measured and rolled back to is what training reached.
    training: the algorithm resolved for a recovery that trains; None for the others.
    """

    label: str
    recovery: PluginRef
    target: str
    peak: int
    training: PluginRef | None = None


@dataclass(frozen=True, kw_only=True)
class ExpertMethod:
    """A method of the protocol whose last checkpoint is merged: its name, its weight, and its steps."""

    name: str
    weight: float
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class MergeStep:
    """A merge of other methods' last checkpoints, those of the same seed. experts: in the order written."""

    label: str
    merge: PluginRef
    experts: tuple[ExpertMethod, ...]


Step = TrainStep | RecoverStep | MergeStep


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a protocol file says. text: as it was written. model_label: the model's name for people. launch:
    accelerate's config for training steps, None where they run in one process. unmet: what this machine lacks for it,
    such as files and optional packages. lines: the line of each key."""

    name: str
    summary: str
    path: Path
    text: str
    model: PluginRef
    model_label: str
    seeds: tuple[int, ...]
    domains: Mapping[str, DeclaredDomain]
    settings: EvaluationSettings
    methods: Mapping[str, tuple[Step, ...]]
    probes: tuple[PluginRef, ...]
    allow: frozenset[str]
    launch: Mapping[str, Any] | None = None
    metrics: Mapping[str, PluginRef] = field(default_factory=dict)
    unmet: tuple[Problem, ...] = ()
    lines: Mapping[KeyPath, int] = field(default_factory=dict, repr=False)

    def problem(self, path: KeyPath, message: str, hint: str = "") -> Problem:
        """Returns a problem of the key at `path`, with its line."""
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 0)
        return Problem(line=line, key=key_text(path), message=message, hint=hint)

    def check_here(self) -> None:
        """Raises ProtocolError with all that this machine lacks for the protocol; returns where it lacks nothing."""
        if self.unmet:
            raise ProtocolError(str(self.path), self.unmet)
