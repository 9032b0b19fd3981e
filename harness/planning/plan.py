"""A plan: the nodes of a protocol by their keys, its methods, and the walks over both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.planning.node import DomainUse, Node, StepNode
from harness.planning.nodes import PARENT_PARTS, AnyNode, BaseNode, EvaluateNode
from harness.protocol.evaluation_settings import EvaluationSettings


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
    nodes: Mapping[str, AnyNode]
    methods: tuple[MethodPlan, ...]
    evaluations: Mapping[str, Mapping[str, str]]
    harness: str = ""

    @property
    def run_name(self) -> str:
        """The name of the run's folder."""
        return f"{self.protocol}-{self.key[:12]}"

    @property
    def base(self) -> BaseNode:
        """The base model."""
        return next(node for node in self.nodes.values() if isinstance(node, BaseNode))

    @property
    def results(self) -> list[AnyNode]:
        """The nodes that the store keeps: all but the base model."""
        return [node for node in self.nodes.values() if not isinstance(node, BaseNode)]

    @property
    def steps(self) -> list[StepNode]:
        """The nodes that make checkpoints."""
        return [node for node in self.nodes.values() if isinstance(node, StepNode)]

    def scorings(self, checkpoint: str) -> dict[str, EvaluateNode]:
        """Returns the nodes that score a checkpoint, by domain; none for an expert that is only merged."""
        found = {name: self.nodes[key] for name, key in self.evaluations.get(checkpoint, {}).items()}
        return {name: node for name, node in found.items() if isinstance(node, EvaluateNode)}

    def definition_of(self, key: str) -> dict[str, Any]:
        """Returns what the key of a node covers, as JSON data."""
        return self.nodes[key].definition(self.harness, self.domains)

    def method_definition(self, lineage: Sequence[str]) -> list[Any]:
        """Returns what the steps of a lineage do, as JSON data: their definitions without what differs between the
        seeds and the versions of the harness that a method is run with."""
        steps: list[Any] = []
        for key in lineage:
            definition, left_out = self.definition_of(key), PARENT_PARTS | {"harness", "seed"}
            steps.append({part: value for part, value in definition.items() if part not in left_out})
            merged = self.nodes[key].merged_checkpoints
            steps.extend(self.method_definition(self.lineage_of(expert)) for expert in merged)
        return steps

    def settings_of(self, domain: str) -> EvaluationSettings:
        """Returns the settings that a domain is scored with."""
        return next((self.scorings(key)[domain].settings for key in self.evaluations), self.settings)

    def lineage_of(self, key: str) -> tuple[str, ...]:
        """Returns the keys of the checkpoints from the base to the checkpoint `key`, each step's start before it."""
        node = self.nodes[key]
        return (*self.lineage_of(node.start), key) if node.parents else (key,)

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

    def first_trainings(self) -> dict[str, Node]:
        """Returns, for each domain, the first step of the plan that trains it."""
        return _by_domain(self.nodes.values())

    def last_trainings(self, key: str) -> dict[str, Node]:
        """Returns, for each domain trained on the way to the checkpoint `key`, the last step that trained it."""
        return _by_domain(self.nodes[step] for step in self.steps_behind(key))

    def domains_before(self, key: str) -> tuple[str, ...]:
        """Returns the domains that the parents of `key` trained, by name: those that a recovery may read.

        The key of a recovery covers these and no others.
        """
        parents = [self.nodes[parent] for parent in self.nodes[key].parents]
        return tuple(sorted({name for parent in parents for name in parent.trained_domains}))


def _by_domain(nodes: Iterable[Node]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for node in nodes:
        for name in node.trained_domains if node.trained_with is not None else ():
            found.setdefault(name, node)
    return found
