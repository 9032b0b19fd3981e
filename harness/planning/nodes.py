"""The plan's own data: nodes with content keys, and the methods that walk over them.

A node's key is a sha256 over its definition, which is everything that its result depends on, so a key is a name for the
result itself: the same key, the same bytes. `definition` of each class of nodes is the one place that says what a key
covers. `harness.planning.planner` makes nodes, `harness.execution` executes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from harness.protocol.evaluation_settings import EvaluationSettings
from harness.protocol.plugin_ref import PluginRef

NodeKind = Literal["base", "train", "recover", "merge", "evaluate", "probe"]

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


@dataclass(frozen=True, kw_only=True)
class Node:
    """One thing to make. `parents` are keys of nodes that must be there first; `label` is for people, in no key."""

    key: str
    kind: NodeKind
    label: str
    seed: int
    parents: tuple[str, ...] = ()

    def definition(self, harness: str, domains: Mapping[str, DomainUse]) -> dict[str, Any]:
        """Returns what the key covers, as JSON data. harness: its identity. domains: those of the protocol."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class BaseNode(Node):
    """The base model. It is not stored: `fingerprint` stands for its weights."""

    model: PluginRef
    fingerprint: str

    def definition(self, harness: str, domains: Mapping[str, DomainUse]) -> dict[str, Any]:
        """The model's plugin and config and the fingerprint of its files; all seeds share it."""
        return {"kind": self.kind, "model": self.model.definition(), "fingerprint": self.fingerprint}


@dataclass(frozen=True, kw_only=True)
class TrainNode(Node):
    """A training of `parents[0]` on `domains` (weights by name, ordered by name) with `algorithm`.

    earlier: the domains trained before, by name, where the algorithm replays them; the key covers them. launch:
    accelerate's config where the step runs in several processes.
    """

    algorithm: PluginRef
    domains: Mapping[str, float]
    earlier: tuple[str, ...] = ()
    launch: Mapping[str, Any] | None = None

    def definition(self, harness: str, domains: Mapping[str, DomainUse]) -> dict[str, Any]:
        """The harness, the seed, the parent, the algorithm, and each domain with its reward and weight, in the order of
        their names, which is the order that the algorithm sees. The parent's key covers the domains that are replayed.
        """
        return {
            "kind": self.kind,
            "harness": harness,
            "seed": self.seed,
            "parent": self.parents[0],
            "train": self.algorithm.definition(),
            "domains": [domains[name].definition() | {"weight": weight} for name, weight in self.domains.items()],
            **_launched(self.launch),
        }


@dataclass(frozen=True, kw_only=True)
class RecoverNode(Node):
    """A recovery of `target` on `parents[-1]`; `parents` is the whole lineage from the base, `peak` an index into it.

    training: the algorithm that a recovery which trains was given, resolved; None for training-free ones. earlier,
    launch: as of a training, where there is that algorithm.
    """

    recovery: PluginRef
    target: str
    peak: int
    training: PluginRef | None = None
    earlier: tuple[str, ...] = ()
    launch: Mapping[str, Any] | None = None

    def definition(self, harness: str, domains: Mapping[str, DomainUse]) -> dict[str, Any]:
        """The harness, the seed, the lineage, the recovery, its training, the target and its peak. The lineage's keys
        cover the other domains that it trained, which a recovery may read."""
        return {
            "kind": self.kind,
            "harness": harness,
            "seed": self.seed,
            "lineage": list(self.parents),
            "recover": self.recovery.definition(),
            "train": None if self.training is None else self.training.definition(),
            "target": domains[self.target].definition(),
            "peak": self.peak,
            **_launched(self.launch),
        }


@dataclass(frozen=True, kw_only=True)
class MergeNode(Node):
    """A merge of experts; `parents` is the base, and then the last checkpoint of each expert, in the order written.

    experts: their methods' names, for people. weights: theirs, in the same order. trained: the domains that they
    trained, by name, which the merge counts as having trained.
    """

    merge: PluginRef
    experts: tuple[str, ...]
    weights: tuple[float, ...]
    trained: tuple[str, ...]

    def definition(self, harness: str, domains: Mapping[str, DomainUse]) -> dict[str, Any]:
        """The harness, the seed, the base, the experts' checkpoints and weights in order, and the merge. The experts'
        keys cover their domains; their methods' names are in no key."""
        return {
            "kind": self.kind,
            "harness": harness,
            "seed": self.seed,
            "base": self.parents[0],
            "experts": list(self.parents[1:]),
            "weights": list(self.weights),
            "merge": self.merge.definition(),
        }


@dataclass(frozen=True, kw_only=True)
class EvaluateNode(Node):
    """The scoring of checkpoint `parents[0]` on one domain."""

    domain: str
    settings: EvaluationSettings

    def definition(self, harness: str, domains: Mapping[str, DomainUse]) -> dict[str, Any]:
        """The harness, the checkpoint, the domain's plugin, config and data, and the settings. Neither the domain's
        name nor its reward: scores depend on neither."""
        domain = domains[self.domain]
        return {
            "kind": self.kind,
            "harness": harness,
            "checkpoint": self.parents[0],
            "domain": domain.plugin.definition(),
            "fingerprint": domain.fingerprint,
            "evaluate": asdict(self.settings),
        }


@dataclass(frozen=True, kw_only=True)
class ProbeNode(Node):
    """A probe over a method's lineage, `parents`, base first.

    scored_with: for a probe that scores models, the settings of each domain.
    """

    probe: PluginRef
    scored_with: Mapping[str, EvaluationSettings] = field(default_factory=dict)

    def definition(self, harness: str, domains: Mapping[str, DomainUse]) -> dict[str, Any]:
        """The harness, the seed, the lineage, the probe, every domain of the protocol in order, and the settings."""
        return {
            "kind": self.kind,
            "harness": harness,
            "seed": self.seed,
            "lineage": list(self.parents),
            "probe": self.probe.definition(),
            "domains": [domain.definition() for domain in domains.values()],
            "evaluate": {name: asdict(settings) for name, settings in self.scored_with.items()},
        }


StepNode = TrainNode | RecoverNode | MergeNode
"""What makes a checkpoint."""

CheckpointNode = BaseNode | StepNode


def _launched(launch: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns what a key covers of a launch: the number of processes that share the work changes every sum in it."""
    if launch is None:
        return {}
    return {"launch": {key: value for key, value in launch.items() if key not in _PLACE_OF_LAUNCH}}


def trained_by(node: Node) -> tuple[str, ...]:
    """Returns the domains that a step trained: none for the base and for a training-free recovery."""
    if isinstance(node, TrainNode):
        return tuple(node.domains)
    if isinstance(node, MergeNode):
        return node.trained
    if isinstance(node, RecoverNode) and node.training is not None:
        return (node.target,)
    return ()


def training_of(node: Node) -> PluginRef | None:
    """Returns the algorithm that a step trains with, None for one that does not train."""
    if isinstance(node, TrainNode):
        return node.algorithm
    return node.training if isinstance(node, RecoverNode) else None


@dataclass(frozen=True, kw_only=True)
class MethodPlan:
    """A method for one seed. lineage: keys of its checkpoints, base first. probes: keys of its probe nodes."""

    name: str
    seed: int
    lineage: tuple[str, ...]
    probes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a protocol asks for. nodes: by key, parents first. evaluations: checkpoint key → domain → key. harness:
    the identity that the keys cover."""

    protocol: str
    key: str
    model: str
    seeds: tuple[int, ...]
    domains: Mapping[str, DomainUse]
    settings: EvaluationSettings
    nodes: Mapping[str, Node]
    methods: tuple[MethodPlan, ...]
    evaluations: Mapping[str, Mapping[str, str]]
    harness: str = ""

    def definition_of(self, key: str) -> dict[str, Any]:
        """Returns what the key of a node covers, as JSON data."""
        return self.nodes[key].definition(self.harness, self.domains)

    def settings_of(self, domain: str) -> EvaluationSettings:
        """Returns the settings that a domain is scored with."""
        for by_domain in self.evaluations.values():
            node = self.nodes[by_domain[domain]]
            assert isinstance(node, EvaluateNode)
            return node.settings
        return self.settings

    def lineage_of(self, key: str) -> tuple[str, ...]:
        """Returns the keys of the checkpoints from the base to the checkpoint `key`, each step's start before it."""
        node = self.nodes[key]
        if not node.parents:
            return (key,)
        start = node.parents[0 if isinstance(node, MergeNode) else -1]
        return (*self.lineage_of(start), key)

    def steps_behind(self, key: str) -> tuple[str, ...]:
        """Returns the keys of all steps that the checkpoint `key` took, itself and those of merged experts included,
        each once: what it costs."""
        found: dict[str, None] = {}
        waiting = [key]
        while waiting:
            node = self.nodes[waiting.pop()]
            if node.parents and node.key not in found:
                found[node.key] = None
                waiting.extend(node.parents)
        return tuple(found)

    def last_trainings(self, key: str) -> dict[str, Node]:
        """Returns, for each domain trained on the way to the checkpoint `key`, the last step that trained it."""
        found: dict[str, Node] = {}
        for step in self.steps_behind(key):
            if training_of(node := self.nodes[step]) is not None:
                for name in trained_by(node):
                    found.setdefault(name, node)
        return found

    def domains_of(self, key: str) -> tuple[str, ...]:
        """Returns the domains that the step `key` trained: none for the base and for a training-free recovery."""
        return trained_by(self.nodes[key])

    def domains_before(self, key: str) -> tuple[str, ...]:
        """Returns the domains that the parents of `key` trained, by name: those that a recovery may read.

        The key of a recovery covers these and no others.
        """
        return tuple(sorted({name for parent in self.nodes[key].parents for name in self.domains_of(parent)}))
