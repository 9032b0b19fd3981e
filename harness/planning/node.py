"""The base classes of nodes, and the domains that are part of their keys."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import ConfigDict

from harness.plugin.interfaces import Domain
from harness.plugin.workload import Workload
from harness.protocol.plugin_ref import PluginRef

_PLACE_OF_LAUNCH = frozenset(
    {
        "debug",
        "enable_cpu_affinity",
        "gpu_ids",
        "main_process_ip",
        "main_process_port",
        "rdzv_backend",
        "same_network",
    }
)
"""Keys of accelerate's config that set where processes run and communicate, but do not change results."""


@dataclass(frozen=True, kw_only=True)
class DomainUse:
    """A domain of the protocol: its column's name, its plugin, its reward, and the fingerprints of data and reward."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    plugin: PluginRef
    reward: PluginRef
    fingerprint: str
    reward_fingerprint: str

    def definition(self) -> dict[str, Any]:
        """Returns the part of a key for a trained or probed domain. Metrics and rows contain its name."""
        return {
            "name": self.name,
            "plugin": self.plugin.definition(),
            "reward": self.reward.definition(),
            "fingerprint": self.fingerprint,
            "reward_fingerprint": self.reward_fingerprint,
        }


@dataclass(frozen=True, kw_only=True)
class ColumnUse:
    """An evaluation-only column: its name, the domain plugin whose test items score it, and the fingerprint of its
    data. in_average: whether the average includes it; no part of a key."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    plugin: PluginRef
    fingerprint: str
    in_average: bool = False


Domains = Mapping[str, DomainUse]

Calls = list[tuple[PluginRef, tuple[str, ...]]]
"""Plugins, each with the names of the domains passed to it."""


class WorkloadSource(Protocol):
    """The workloads that a plan's plugins declare."""

    def of_config(self, use: PluginRef) -> Workload | None: ...

    def of_recovery(self, use: PluginRef, trained: int) -> Workload | None: ...

    def domain(self, name: str) -> Domain: ...


@dataclass(frozen=True, kw_only=True)
class Node(ABC):
    """One result to compute. parents: the keys of the nodes that it needs. label: shown to users, not part of keys."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    key: str
    kind: str
    label: str
    seed: int
    parents: tuple[str, ...] = ()

    @abstractmethod
    def definition(self, harness: str, domains: Domains) -> dict[str, Any]:
        """Returns the content of the key as JSON data. harness: its identity. domains: those of the protocol."""

    @property
    def start(self) -> str:
        """The key of the checkpoint that the node starts from."""
        return self.parents[-1]

    @property
    def lineage(self) -> tuple[str, ...]:
        """The keys of the checkpoints that the node reads of its own method: from the base, or only its start."""
        return self.parents

    @property
    def merged_checkpoints(self) -> tuple[str, ...]:
        """The keys of the other methods' checkpoints that the node reads."""
        return ()

    @property
    def trained_domains(self) -> tuple[str, ...]:
        """The domains that the node trained, empty for the base model and for a training-free recovery."""
        return ()

    @property
    def trained_with(self) -> PluginRef | None:
        """The algorithm that the node trains with, None if it does not train."""
        return None

    @property
    def recovered_domains(self) -> tuple[str, ...]:
        """The domains that the node recovers, empty if it is not a recovery."""
        return ()

    @property
    def sampled_domains(self) -> tuple[str, ...]:
        """The domains on whose prompts the node may generate completions."""
        return ()

    def works_on(self, domain: str) -> bool:
        """Whether the node trains, recovers or evaluates the domain."""
        return domain in self.trained_domains or domain in self.recovered_domains

    def calls(self, domains: Domains) -> Calls:
        """Returns the plugins that compute the node, each with the domains passed to it."""
        return []

    def plugins(self, domains: Domains) -> list[PluginRef]:
        """Returns all plugins that run: the one that computes the result first, domains and rewards last."""
        used = [domains[name] for name in self.sampled_domains]
        return [use for use, _ in self.calls(domains)] + [ref for use in used for ref in (use.plugin, use.reward)]

    def workload(self, source: WorkloadSource) -> Workload | None:
        """Returns an upper bound of the node's work, None if unknown."""
        return None


@dataclass(frozen=True, kw_only=True)
class StepNode(Node):
    """A node that computes a checkpoint."""


@dataclass(frozen=True, kw_only=True)
class TrainingNode(StepNode):
    """A step that may train.

    earlier: the domains trained before, by name, if the algorithm reads them. They are part of the parents' keys.
    launch: accelerate's config if the step runs in several processes. experts: the names of other methods whose
    checkpoints it reads, not part of the key; these are the first `parents`.
    """

    earlier: tuple[str, ...] = ()
    launch: Mapping[str, Any] | None = None
    experts: tuple[str, ...] = ()

    @property
    def lineage(self) -> tuple[str, ...]:
        return self.parents[len(self.experts) :]

    @property
    def merged_checkpoints(self) -> tuple[str, ...]:
        return self.parents[: len(self.experts)]

    def _experts_definition(self) -> dict[str, Any]:
        """Returns the part of a key for the checkpoints of other methods."""
        return {"experts": list(self.merged_checkpoints)} if self.experts else {}

    def _launch_definition(self) -> dict[str, Any]:
        """Returns the part of a key for the launch. The number of processes matters, because it changes every sum."""
        if self.launch is None:
            return {}
        return {"launch": {key: value for key, value in self.launch.items() if key not in _PLACE_OF_LAUNCH}}
