"""What nodes of several kinds have in common, and the domains that their keys cover."""

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
"""Keys of accelerate's config that say where processes run and meet, not what they compute."""


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
        """Returns what a key covers of a domain that is trained or measured; its name appears in metrics and rows."""
        return {
            "name": self.name,
            "plugin": self.plugin.definition(),
            "reward": self.reward.definition(),
            "fingerprint": self.fingerprint,
            "reward_fingerprint": self.reward_fingerprint,
        }


Domains = Mapping[str, DomainUse]

Calls = list[tuple[PluginRef, tuple[str, ...]]]
"""Plugins, each with the names of the domains that it is given."""


class WorkloadSource(Protocol):
    """What the plugins of a plan say about the work they do."""

    def of_config(self, use: PluginRef) -> Workload | None: ...

    def domain(self, name: str) -> Domain: ...


@dataclass(frozen=True, kw_only=True)
class Node(ABC):
    """One result to compute. `parents` are the keys of the nodes it needs; `label` is for people, in no key."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    key: str
    kind: str
    label: str
    seed: int
    parents: tuple[str, ...] = ()

    @abstractmethod
    def definition(self, harness: str, domains: Domains) -> dict[str, Any]:
        """Returns what the key covers, as JSON data. harness: its identity. domains: those of the protocol."""

    @property
    def start(self) -> str:
        """The key of the checkpoint that the node starts from."""
        return self.parents[-1]

    @property
    def merged_checkpoints(self) -> tuple[str, ...]:
        """The keys of the checkpoints that the node merges into its start."""
        return ()

    @property
    def trained_domains(self) -> tuple[str, ...]:
        """The domains that the node trained: none for the base model and for a training-free recovery."""
        return ()

    @property
    def trained_with(self) -> PluginRef | None:
        """The algorithm that the node trains with, None if it does not train."""
        return None

    @property
    def recovered_domain(self) -> str | None:
        """The domain that the node recovers, None for all but recoveries."""
        return None

    @property
    def sampled_domains(self) -> tuple[str, ...]:
        """The domains for whose prompts the node may generate completions."""
        return ()

    def works_on(self, domain: str) -> bool:
        """Whether the node trains, recovers or scores the domain."""
        return domain in self.trained_domains or domain == self.recovered_domain

    def calls(self, domains: Domains) -> Calls:
        """Returns the plugins that compute the node, each with the domains that it is given."""
        return []

    def plugins(self, domains: Domains) -> list[PluginRef]:
        """Returns all plugins that run: first the one that makes the result, last the domains and rewards in use."""
        used = [domains[name] for name in self.sampled_domains]
        return [use for use, _ in self.calls(domains)] + [ref for use in used for ref in (use.plugin, use.reward)]

    def workload(self, source: WorkloadSource) -> Workload | None:
        """Returns what the node does at most, None where it is not known."""
        return None


@dataclass(frozen=True, kw_only=True)
class StepNode(Node):
    """What makes a checkpoint."""


@dataclass(frozen=True, kw_only=True)
class TrainingNode(StepNode):
    """A step that may train.

    earlier: the domains trained before, by name, where the algorithm replays them; the parents' keys cover them.
    launch: accelerate's config where the step runs in several processes.
    """

    earlier: tuple[str, ...] = ()
    launch: Mapping[str, Any] | None = None

    def _launch_definition(self) -> dict[str, Any]:
        """Returns what a key covers of the launch: the number of processes that share the work changes every sum."""
        if self.launch is None:
            return {}
        return {"launch": {key: value for key, value in self.launch.items() if key not in _PLACE_OF_LAUNCH}}
