"""A loaded protocol: all plugins are resolved, all configs validated and filled with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import Problem, ProtocolError
from harness.plugin.engine_interface import Resources
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.protocol.placement import PlacedNode, resources_of
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.source import KeyPath, key_text


@dataclass(frozen=True, kw_only=True)
class DeclaredDomain:
    """A domain of the protocol: its name, its plugin and its reward.

    chat_template: whether its items are scored with the model's chat template.
    """

    name: str
    plugin: PluginRef
    reward: PluginRef
    chat_template: bool = False


@dataclass(frozen=True, kw_only=True)
class DeclaredColumn:
    """An evaluation-only column: its name, and the domain plugin whose test items score it. in_average: whether the
    average includes it. chat_template: as for a domain."""

    name: str
    plugin: PluginRef
    in_average: bool = False
    chat_template: bool = False


@dataclass(frozen=True, kw_only=True)
class ExpertMethod:
    """A method whose last checkpoint another method reads: its name, its weight in a merge, and its steps."""

    name: str
    weight: float
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class TrainStep:
    """A training on one or more domains. domains: weights by name, sorted by name. experts: the methods whose last
    checkpoints the algorithm reads."""

    label: str
    algorithm: PluginRef
    domains: Mapping[str, float]
    experts: tuple[ExpertMethod, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RecoverStep:
    """A recovery of `targets`, in the order of the protocol's domains.

    peaks: the index in the method's lineage (0 is the base) of the last train step on each trained domain, in the order
    of these steps. Recoveries do not count, even those that train: the reference is the checkpoint after training.
    training: the resolved algorithm of a recovery that trains, else None. experts: as in a TrainStep.
    """

    label: str
    recovery: PluginRef
    targets: tuple[str, ...]
    peaks: Mapping[str, int]
    training: PluginRef | None = None
    experts: tuple[ExpertMethod, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MergeStep:
    """A merge of the last checkpoints of other methods with the same seed.

    experts: in the order of the protocol. training: the resolved algorithm of a merge that trains, else None.
    """

    label: str
    merge: PluginRef
    experts: tuple[ExpertMethod, ...]
    training: PluginRef | None = None


Step = TrainStep | RecoverStep | MergeStep


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The contents of a protocol file.

    text: the file's text. model_label: the model name in messages. every: the optimizer steps between scored states
    within a training, None to score no such states. launch: accelerate's config for training steps; None
    to run them in one process. engine: where steps run, None if the protocol does not say. resources: what they need,
    by kind of node or plugin. observers: what shows the curves of the run. No result depends on these three. unmet:
    what is missing on this machine, such as files and optional packages. lines: the line of each key.
    """

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
    every: int | None = None
    launch: Mapping[str, Any] | None = None
    engine: PluginRef | None = None
    resources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    metrics: Mapping[str, PluginRef] = field(default_factory=dict)
    columns: Mapping[str, DeclaredColumn] = field(default_factory=dict)
    observers: tuple[PluginRef, ...] = ()
    unmet: tuple[Problem, ...] = ()
    lines: Mapping[KeyPath, int] = field(default_factory=dict, repr=False)

    def problem(self, path: KeyPath, message: str, hint: str = "") -> Problem:
        """Returns a problem with the key at `path`, with its line."""
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 0)
        return Problem(line=line, key=key_text(path), message=message, hint=hint)

    def resources_of(self, node: PlacedNode) -> Resources:
        """Returns what a node of this protocol's plan needs; defaults for what the protocol does not state."""
        return resources_of(node, self.resources)

    def check_here(self) -> None:
        """Raises ProtocolError if anything the protocol needs is missing on this machine."""
        if self.unmet:
            raise ProtocolError(str(self.path), self.unmet)
