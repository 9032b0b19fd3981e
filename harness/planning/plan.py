"""A plan: the nodes of a protocol by key, its methods, and queries on both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.planning.definitions import lineage_of
from harness.planning.node import ColumnUse, DomainUse, Node, StepNode
from harness.planning.nodes import AnyNode, BaseNode, EvaluateNode, StateNode
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.protocol.plugin_ref import PluginRef


@dataclass(frozen=True, kw_only=True)
class MethodPlan:
    """A method for one seed. lineage: keys of its checkpoints, base first. probes: keys of its probe nodes."""

    name: str
    seed: int
    lineage: tuple[str, ...]
    probes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All results of a protocol. nodes: by key, parents first. evaluations: checkpoint key → domain or column → key.
    harness: the identity of the harness in keys. columns: the evaluation-only columns."""

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
    columns: Mapping[str, ColumnUse] = field(default_factory=dict)

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
        """The nodes with results in the store: all except the base model."""
        return [node for node in self.nodes.values() if not isinstance(node, BaseNode)]

    @property
    def steps(self) -> list[StepNode]:
        """The nodes that compute checkpoints."""
        return [node for node in self.nodes.values() if isinstance(node, StepNode)]

    @cached_property
    def states(self) -> Mapping[str, tuple[StateNode, ...]]:
        """The states within each training that are scored or probed, by the training's key, in order."""
        found: dict[str, list[StateNode]] = {}
        for node in self.nodes.values():
            if isinstance(node, StateNode):
                found.setdefault(node.training.key, []).append(node)
        return {key: tuple(sorted(states, key=lambda one: one.optimizer_step)) for key, states in found.items()}

    @property
    def scores_states(self) -> bool:
        """Whether models within trainings are scored."""
        return any(isinstance(self.nodes[checkpoint], StateNode) for checkpoint in self.evaluations)

    @property
    def scored_names(self) -> tuple[str, ...]:
        """The names of the domains and evaluation-only columns that checkpoints are scored on."""
        return (*self.domains, *self.columns)

    def scored_by(self, name: str) -> PluginRef:
        """Returns the domain plugin whose test items score a domain or an evaluation-only column."""
        return (self.columns.get(name) or self.domains[name]).plugin

    def scorings(self, checkpoint: str) -> dict[str, EvaluateNode]:
        """Returns the evaluations of a checkpoint by domain and column, empty for an expert that is only merged."""
        found = {name: self.nodes[key] for name, key in self.evaluations.get(checkpoint, {}).items()}
        return {name: node for name, node in found.items() if isinstance(node, EvaluateNode)}

    def definition_of(self, key: str) -> dict[str, Any]:
        """Returns the content of a node's key as JSON data."""
        return self.nodes[key].definition(self.harness, self.domains)

    def settings_of(self, domain: str) -> EvaluationSettings:
        """Returns the evaluation settings of a domain or an evaluation-only column."""
        return next((self.scorings(key)[domain].settings for key in self.evaluations), self.settings)

    def lineage_of(self, key: str) -> tuple[str, ...]:
        """Returns the keys of the checkpoints from the base to the checkpoint `key`, in order."""
        return lineage_of(key, self.definition_of)

    def steps_behind(self, key: str) -> tuple[str, ...]:
        """Returns the keys of all steps behind the checkpoint `key`, including itself and those of merged experts,
        without duplicates. They determine its cost."""
        found: dict[str, None] = {}
        waiting = [key]
        while waiting:
            node = self.nodes[waiting.pop()]
            if node.parents and node.key not in found:
                found[node.key] = None
                waiting.extend(node.parents)
        return tuple(found)

    def first_trainings(self) -> dict[str, Node]:
        """Returns the first step of the plan that trains each domain."""
        return _by_domain(self.nodes.values())

    def last_trainings(self, key: str) -> dict[str, Node]:
        """Returns the last step that trained each domain on the way to the checkpoint `key`."""
        return _by_domain(self.nodes[step] for step in self.steps_behind(key))

    def domains_before(self, key: str) -> tuple[str, ...]:
        """Returns the domains that the parents of `key` trained, by name. A recovery may read these domains only,
        because no others are part of its key.
        """
        parents = [self.nodes[parent] for parent in self.nodes[key].parents]
        return tuple(sorted({name for parent in parents for name in parent.trained_domains}))


def _by_domain(nodes: Iterable[Node]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for node in nodes:
        for name in node.trained_domains if node.trained_with is not None else ():
            found.setdefault(name, node)
    return found
