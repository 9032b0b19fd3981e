"""Pilots: the first steps of a training, and what they did to the rewards of the other domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.execution.checkpoints import CheckpointFolders
from harness.execution.executor import Executor
from harness.planning.definitions import key_of
from harness.planning.node import DomainUse
from harness.planning.nodes import TrainNode
from harness.planning.plan import Plan
from harness.plugin.interfaces import TrainingDomain
from harness.prediction.domain_measure import (
    EPSILON,
    DomainSamples,
    log_probabilities,
    model_in,
    ratios,
    sample_domain,
)
from harness.prediction.paces import pace_of

if TYPE_CHECKING:
    from harness.execution.store import Store
    from harness.plugin.registry import Registry


class Pilots:
    """Trains pilots from the checkpoints of a run, into its store.

    plan: that of the run. domains, harness: those of the installed code, which trains the pilots.
    """

    def __init__(
        self,
        plan: Plan,
        registry: Registry,
        store: Store,
        *,
        steps: int,
        domains: Mapping[str, DomainUse],
        harness: str,
    ) -> None:
        self._nodes: dict[str, TrainNode] = {}
        for key, node in plan.nodes.items():
            if isinstance(node, TrainNode) and len(node.domains) == 1 and pace_of(node) is not None:
                installed = registry.find(node.algorithm.kind, node.algorithm.name).identity
                config = {**node.algorithm.config, "steps": steps}
                pilot = replace(
                    node,
                    label=f"the first {steps} steps of {node.label}",
                    algorithm=replace(node.algorithm, identity=installed, config=config),
                )
                self._nodes[key] = replace(pilot, key=key_of(pilot.definition(harness, domains)))
        nodes = {**plan.nodes, **{node.key: node for node in self._nodes.values()}}
        self._plan = replace(plan, harness=harness, domains={**plan.domains, **domains}, nodes=nodes)
        self._executor = Executor(self._plan, registry, store)
        self._checkpoints = CheckpointFolders(self._plan, store, registry)
        self.steps = steps

    def check(self, after: str) -> None:
        """Raises UsageError if the training that ends at the checkpoint `after` is no longer than its pilot."""
        node = self._plan.nodes[after]
        pace = pace_of(node) if after in self._nodes and isinstance(node, TrainNode) else None
        if pace is None or pace.steps <= self.steps:
            raise UsageError(
                f"{node.label} is not longer than {self.steps} steps",
                where="--pilot",
                hint="a pilot is the beginning of a training; give a smaller number",
            )

    def folder(self, after: str) -> Path:
        """Returns the model folder of the pilot of the training that ends at the checkpoint `after`; trains it unless
        the store has it. It draws what the training draws in its first steps. Raises as `Executor.execute`."""
        self._executor.execute(self._nodes[after].key)
        return self._checkpoints.folder(self._nodes[after].key)

    def close(self) -> None:
        """Deletes restored models."""
        self._checkpoints.close()


def pilot_damage(
    before: Path,
    pilot: Path,
    domains: Mapping[str, TrainingDomain],
    samples: Mapping[str, DomainSamples],
    *,
    factor: float,
) -> dict[str, dict[str, float]]:
    """Returns what a pilot did to each domain of `samples`, times `factor`, by predictor; positive values are harm.

    before, pilot: the model folders at its start and end. samples: sampled at the start. Both values are in percent of
    the reward's standard deviation at the start. `pilot`: the difference between the mean rewards of completions, which
    the two models sample for the same prompts with the same random numbers. `pilot, reweighted`: the mean of (w − 1)
    times the advantage of the completions at the start, with the pilot's importance weights w, which has less variance.
    """
    start, end = model_in(before), model_in(pilot)
    found = {}
    for name, sampled in samples.items():
        scale = -100 * factor / max(sampled.spread, EPSILON)
        _, after, _ = sample_domain(pilot, domains[name], completions=len(sampled.samples), seed=sampled.seed)
        weights = ratios(end, sampled.samples, log_probabilities(start, sampled.samples))
        found[name] = {
            "pilot": scale * (after.reward - sampled.reward),
            "pilot, reweighted": scale * float(((weights - 1) * sampled.advantages).mean()),
        }
    return found
