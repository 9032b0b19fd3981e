"""The hooks a plugin may implement. This file is their reference.

A plugin is a module (or object) named in the entry-point group `harness.plugins`, with functions marked `@hookimpl`:

    from harness import DomainSpec, hookimpl

    @hookimpl
    def harness_domains():
        yield DomainSpec(name="chess", summary="Mate in two", reward="chess-mate",
                         load="harness_chess.domain:Chess", config="harness_chess.config:ChessConfig")

Registration hooks yield specs and are called once, when the registry is built. Observer hooks are told of a run's
events; an exception in one is reported and never stops the run.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from harness.plugin.events import CheckpointScored, RunFinished, RunStarted, StepFinished, StepStarted
from harness.plugin.specs import (
    AlgorithmSpec,
    DomainSpec,
    EngineSpec,
    MergeSpec,
    MetricSpec,
    ModelSpec,
    ProbeSpec,
    ProtocolSpec,
    RecoverySpec,
    RewardSpec,
    TableFormatSpec,
)

PROJECT = "harness"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class RegistrationHooks:
    """Hooks that offer something. Each may yield any number of specs; a plugin implements those it needs."""

    @hookspec
    def harness_models(self) -> Iterable[ModelSpec]:  # type: ignore[empty-body]
        """Base models: `yield ModelSpec(name="tiny", summary="…", load="mine.model:Tiny")`."""

    @hookspec
    def harness_domains(self) -> Iterable[DomainSpec]:  # type: ignore[empty-body]
        """Domains: `yield DomainSpec(name="chess", summary="…", reward="mate", load="mine.domain:Chess")`."""

    @hookspec
    def harness_rewards(self) -> Iterable[RewardSpec]:  # type: ignore[empty-body]
        """Rewards: `yield RewardSpec(name="mate", summary="…", load="mine.reward:Mate")`."""

    @hookspec
    def harness_algorithms(self) -> Iterable[AlgorithmSpec]:  # type: ignore[empty-body]
        """Algorithms: `yield AlgorithmSpec(name="ppo", summary="…", load="mine.ppo:PPO", config="mine.ppo:Config")`."""

    @hookspec
    def harness_recoveries(self) -> Iterable[RecoverySpec]:  # type: ignore[empty-body]
        """Recoveries: `yield RecoverySpec(name="halfway", summary="…", load="mine.halfway:Halfway")`."""

    @hookspec
    def harness_merges(self) -> Iterable[MergeSpec]:  # type: ignore[empty-body]
        """Merges of experts: `yield MergeSpec(name="median", summary="…", load="mine.median:Median")`."""

    @hookspec
    def harness_probes(self) -> Iterable[ProbeSpec]:  # type: ignore[empty-body]
        """Probes: `yield ProbeSpec(name="edit-norm", summary="…", load="mine.probe:EditNorm")`."""

    @hookspec
    def harness_metrics(self) -> Iterable[MetricSpec]:  # type: ignore[empty-body]
        """Metrics: `yield MetricSpec(name="worst", summary="…", load="mine.metric:Worst")`."""

    @hookspec
    def harness_table_formats(self) -> Iterable[TableFormatSpec]:  # type: ignore[empty-body]
        """Table formats: `yield TableFormatSpec(name="tsv", summary="…", extension="tsv", load="mine.tsv:Tsv")`."""

    @hookspec
    def harness_engines(self) -> Iterable[EngineSpec]:  # type: ignore[empty-body]
        """Engines: `yield EngineSpec(name="cluster", summary="…", load="mine.cluster:Cluster")`."""

    @hookspec
    def harness_protocols(self) -> Iterable[ProtocolSpec]:  # type: ignore[empty-body]
        """Packaged files: `yield ProtocolSpec(name="chess", summary="…", path=Path(__file__).with_name("c.yaml"))`."""


class ObserverHooks:
    """Hooks that are told of a run. The runner calls them; what they return is ignored."""

    @hookspec
    def harness_run_started(self, event: RunStarted) -> None:
        """A run begins, before its first node."""

    @hookspec
    def harness_run_finished(self, event: RunFinished) -> None:
        """A run ended, after its last node, also when some failed."""

    @hookspec
    def harness_step_started(self, event: StepStarted) -> None:
        """A node of any kind begins to execute; nodes already in the store are not told."""

    @hookspec
    def harness_step_finished(self, event: StepFinished) -> None:
        """A node of any kind ended, well or not."""

    @hookspec
    def harness_checkpoint_scored(self, event: CheckpointScored) -> None:
        """A checkpoint got its scores on one domain."""


HOOKS_BY_KIND = {
    "model": "harness_models",
    "domain": "harness_domains",
    "reward": "harness_rewards",
    "algorithm": "harness_algorithms",
    "recovery": "harness_recoveries",
    "merge": "harness_merges",
    "probe": "harness_probes",
    "metric": "harness_metrics",
    "table-format": "harness_table_formats",
    "engine": "harness_engines",
    "protocol": "harness_protocols",
}
