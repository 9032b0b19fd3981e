"""The cost of a plan: counts of its nodes, and of optimizer steps and completions if configs define them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from harness.planning.plan import Plan
from harness.planning.prompt_length import tokens_of
from harness.planning.states import trained_again, with_trained_again
from harness.plugin.config import Config
from harness.plugin.interfaces import Domain
from harness.plugin.registry import Registry
from harness.plugin.workload import Workload
from harness.protocol import instance_of
from harness.protocol.faults import validate
from harness.protocol.plugin_ref import PluginRef


@dataclass(frozen=True, kw_only=True)
class PlanCost:
    """Counts over some of a plan's nodes. Unknown numbers of optimizer steps and completions count as 0. completions:
    those of trainings and recoveries, without evaluations. states: those within trainings. repeated_trainings: those
    that are stored and run again for their states."""

    trainings: int = 0
    repeated_trainings: int = 0
    recoveries: int = 0
    merges: int = 0
    states: int = 0
    evaluations: int = 0
    probes: int = 0
    optimizer_steps: int = 0
    completions: int = 0


def cost_of(plan: Plan, registry: Registry, *, without: Collection[str] = ()) -> PlanCost:
    """Returns the cost of a plan's nodes, except those whose keys are in `without`."""
    kinds = Counter(node.kind for node in plan.nodes.values() if node.key not in without)
    workloads = with_trained_again(workloads_of(plan, registry), plan, without)
    works = [work for key, work in workloads.items() if key not in without and work is not None]
    return PlanCost(
        trainings=kinds["train"],
        repeated_trainings=len(trained_again(plan, without)),
        recoveries=kinds["recover"],
        merges=kinds["merge"],
        states=kinds["state"],
        evaluations=kinds["evaluate"],
        probes=kinds["probe"],
        optimizer_steps=sum(work.optimizer_steps for work in works),
        completions=sum(work.completions for work in works),
    )


def workloads_of(plan: Plan, registry: Registry) -> dict[str, Workload | None]:
    """Returns an upper bound of the work of each step by key, None if its config does not define it."""
    source = PluginWorkloads(plan, registry)
    return {node.key: node.workload(source) for node in plan.steps}


class PluginWorkloads:
    """The workloads that a plan's plugins declare. Builds domains without reading their data."""

    def __init__(self, plan: Plan, registry: Registry) -> None:
        self._plan = plan
        self._registry = registry
        self._domains: dict[str, Domain] = {}
        self._prompt_tokens: dict[str, int | None] = {}

    def of_config(self, use: PluginRef) -> Workload | None:
        """Returns the workload that a plugin's config declares, None if it does not."""
        config = self._config(use)
        return config.workload() if config is not None else None

    def of_recovery(self, use: PluginRef, trained: int) -> Workload | None:
        """Returns the workload that a recovery's config declares after the training of `trained` domains."""
        config = self._config(use)
        return config.workload_of_recovery(trained) if config is not None else None

    def _config(self, use: PluginRef) -> Config | None:
        config = validate(self._registry.find(use.kind, use.name).config_type(), use.config)
        return config if isinstance(config, Config) else None

    def domain(self, name: str) -> Domain:
        """Returns a domain of the plan, or that of an evaluation-only column."""
        if name not in self._domains:
            self._domains[name] = instance_of(self._plan.scored_by(name), self._registry)
        return self._domains[name]

    def prompt_tokens(self, name: str) -> int | None:
        """Returns the estimated tokens of a prompt of a domain or column, None if its data are not in local files."""
        if name not in self._prompt_tokens:
            self._prompt_tokens[name] = tokens_of(self.domain(name))
        return self._prompt_tokens[name]
