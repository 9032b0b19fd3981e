"""Reference of the hooks that a plugin may implement.

A plugin is a module (or object) named in the entry-point group `harness.plugins`, with functions marked `@hookimpl`:

    from harness import DomainSpec, hookimpl

    @hookimpl
    def harness_domains():
        yield DomainSpec(name="chess", summary="Mate in two", reward="chess-mate",
                         load="harness_chess.domain:Chess", config="harness_chess.config:ChessConfig")

Registration hooks yield specs and are called once, when the registry is built. Observer hooks receive the events of a
run; an exception in an observer is reported and does not stop the run.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from harness.plugin.events import CheckpointScored, RunFinished, RunStarted, StepFinished, StepProgress, StepStarted
from harness.plugin.specs import (
    AlgorithmSpec,
    DomainSpec,
    EngineSpec,
    MergeSpec,
    MetricSpec,
    ModelSpec,
    ObserverSpec,
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
    """Hooks that register plugins. Each may yield any number of specs; all are optional."""

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
    def harness_observers(self) -> Iterable[ObserverSpec]:  # type: ignore[empty-body]
        """Observers: `yield ObserverSpec(name="curves", summary="…", load="mine.curves:Curves")`."""

    @hookspec
    def harness_protocols(self) -> Iterable[ProtocolSpec]:  # type: ignore[empty-body]
        """Protocol files: `yield ProtocolSpec(name="chess", summary="…", path=Path(__file__).with_name("c.yaml"))`."""


class ObserverHooks:
    """Hooks that observe a run. The runner calls them and ignores their return values."""

    @hookspec
    def harness_run_started(self, event: RunStarted) -> None:
        """Called before the first node of a run."""

    @hookspec
    def harness_run_finished(self, event: RunFinished) -> None:
        """Called after the last node of a run, even if nodes failed."""

    @hookspec
    def harness_step_started(self, event: StepStarted) -> None:
        """Called before a node of any kind is executed. Not called for cached nodes."""

    @hookspec
    def harness_step_progress(self, event: StepProgress) -> None:
        """Called in the runner's process after each step of a training, with its metrics, and as other nodes progress.
        After a stop, steps since the last saved state are computed and reported again."""

    @hookspec
    def harness_step_finished(self, event: StepFinished) -> None:
        """Called after a node of any kind succeeded or failed. Not called for cached nodes."""

    @hookspec
    def harness_checkpoint_scored(self, event: CheckpointScored) -> None:
        """Called when a checkpoint has been scored on one domain."""


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
    "observer": "harness_observers",
    "protocol": "harness_protocols",
}
