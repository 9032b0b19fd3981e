"""Runs all checks for the missing steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.domains.judgeable import judgeable_of, refuse
from harness.errors import HarnessError, Problem
from harness.evaluation.server_check import server_faults
from harness.execution.plugin_instances import LazyDomains, PluginInstances, described
from harness.execution.prefetch import refuses
from harness.execution.readiness.model import BaseModelFacts
from harness.execution.readiness.prompts import prompt_faults, spread
from harness.execution.readiness.rewards import reward_faults
from harness.execution.readiness.tasks import task_faults
from harness.planning.node import Node
from harness.planning.nodes import EvaluateNode, ProbeNode, StateNode
from harness.planning.plan import Plan
from harness.plugin.interfaces import TaskSet
from harness.plugin.start_check import ChecksStart, StartContext
from harness.protocol import Protocol
from harness.protocol.plugin_ref import PluginRef

SEED = 0
"""Of the training rows that are looked at: a domain draws them by a seed, from the same data for every seed."""


FaultsBeforeStart = Callable[[Protocol, Plan, Sequence[Node], PluginInstances, Path | None], Sequence[Problem]]
"""A function that finds known failures: (protocol, plan, missing nodes, plugins, the base model's folder)."""


def faults_before_start(
    protocol: Protocol, plan: Plan, nodes: Sequence[Node], plugins: PluginInstances, base: Path | None
) -> list[Problem]:
    """Returns every problem that would make one of `nodes` fail, without duplicates, with its line and key.

    base: the base model's folder, None if it is not available; checks that need it are then skipped.
    """
    return list(dict.fromkeys(_Checks(protocol, plan, nodes, plugins, base).faults()))


@dataclass
class _Checks:
    protocol: Protocol
    plan: Plan
    nodes: Sequence[Node]
    plugins: PluginInstances
    base: Path | None
    _checked: dict[str, list[Problem]] = field(default_factory=dict)

    def faults(self) -> Iterator[Problem]:
        domains = LazyDomains(self.plan.domains, self.plugins)
        training = [node for node in self.nodes if node.trained_with is not None]
        trained = {name for node in training for name in node.sampled_domains}
        scored = {node.domain for node in self.nodes if isinstance(node, EvaluateNode)}
        model = BaseModelFacts(self.base) if self.base is not None else None
        yield from self._plugin(self.plan.base.model, (), ("model",))
        for name in (name for name in domains if name in trained | scored):
            at: tuple[str, ...] = ("domains", name)
            yield from self._plugin(self.plan.domains[name].plugin, [name], at)
            if name in scored:
                yield from self._told(at, lambda name=name: self._tasks(name))  # type: ignore[misc]
            if name in trained:
                yield from self._told(at, lambda name=name: self._data(name, domains, model))  # type: ignore[misc]
                yield from self._plugin(self.plan.domains[name].reward, [name], (*at, "reward"))
        for name in (name for name in self.plan.columns if name in scored):
            column = ("evaluate", "columns", name)
            yield from self._plugin(self.plan.columns[name].plugin, (), column)
            yield from self._told(column, lambda name=name: self._tasks(name))  # type: ignore[misc]
        if self.plan.settings.backend == "openai":
            yield from self._told(("evaluate", "backend"), lambda: self._server(scored))
        for node in self.nodes:
            yield from self._step(node.training if isinstance(node, StateNode) else node)

    def _server(self, scored: Collection[str]) -> Iterator[Problem]:
        """Yields what the server that scores cannot do. A probe's models share a folder, which a server may cache."""
        probes = [node.label for node in self.nodes if isinstance(node, ProbeNode) and node.scored_with]
        if probes and not self.plan.settings.serve:
            yield Problem(
                message=f"{probes[0]} scores models that a server at a fixed base_url may not load again",
                hint="remove base_url, so that the harness starts a server for each model, or remove the probe",
            )
        tasks = {name: TaskSet.of(self.plugins.domain(self.plan.scored_by(name))) for name in sorted(scored)}
        yield from server_faults({name: (one, self.plan.settings_of(name)) for name, one in tasks.items()}, self.base)

    def _tasks(self, name: str) -> Iterable[Problem]:
        domain = self.plugins.domain(self.plan.scored_by(name))
        return task_faults(TaskSet.of(domain), self.plan.settings.seed)

    def _data(self, name: str, domains: LazyDomains, model: BaseModelFacts | None) -> Iterator[Problem]:
        domain = domains[name]
        data = domain.domain.training_data(SEED)
        judged: list[dict[str, Any]] = []

        def judge() -> Iterable[Problem]:
            found = judgeable_of(domain, data)
            judged.extend(spread(found.rows))
            if refuses(self.plan, name):
                refuse(name, found)
            return ()

        yield from self._told(("domains", name), judge)
        rows = spread(data)  # including problem texts and rows that cannot be judged
        if model is not None and rows and "prompt" in rows[0]:
            yield from prompt_faults(
                rows,
                model,
                what=f"the training prompts of {name}",
                chat=bool(self.plan.settings_of(name).chat_template),
                completion_tokens=domain.domain.completion_tokens,
            )
        at = ("domains", name, "reward")
        yield from self._told(at, lambda: reward_faults(domain, judged))

    def _step(self, node: Node) -> Iterator[Problem]:
        for use, names in node.calls(self.plan.domains):
            check = json.dumps([use.definition(), sorted(names)], sort_keys=True)
            if check not in self._checked:  # seeds and methods share most of their settings
                self._checked[check] = list(self._plugin(use, names, ()))
            for problem in self._checked[check]:
                yield replace(problem, message=f"{node.label}: {problem.message}")

    def _plugin(self, use: PluginRef, names: Sequence[str], at: tuple[str, ...]) -> Iterator[Problem]:
        """Yields the problems that a plugin reports. Imports its implementation."""

        def ask() -> Iterable[Problem]:
            plugin: ChecksStart = self.plugins.built(use)
            if self.base is None:
                return ()
            domains = LazyDomains({name: self.plan.domains[name] for name in names}, self.plugins)
            processes = int((self.protocol.launch or {}).get("num_processes", 1))
            return plugin.faults_at_start(StartContext(model=self.base, domains=domains, processes=processes))

        yield from self._told(at, ask, who=described(self.plugins.registered(use)))

    def _told(self, at: tuple[str, ...], check: Callable[[], Iterable[Problem]], *, who: str = "") -> Iterator[Problem]:
        """Yields the problems of a check with their line and full key. An error in the check is a problem too."""
        try:
            found = list(check())
        except HarnessError as error:
            where = f"{error.where}: " if error.where and error.where != who else ""
            found = [Problem(message=f"{where}{error.message}", hint=error.hint)]
        except (Exception, SystemExit) as error:
            lines = str(error).strip().splitlines() or [""]
            found = [Problem(message=f"{who or 'a check'} failed: {type(error).__name__}: {lines[-1]}")]
        for problem in found:
            path = (*at, *(problem.key.split(".") if problem.key else ()))
            placed = self.protocol.problem(path, problem.message, problem.hint)
            yield placed if problem.line == 0 else problem
