"""Computes one node: builds the context, calls the plugin, and writes the files of the result.

A checkpoint's result has `model/`, `metrics.jsonl` and `result.json`; that of a state within a training has no metrics.
An evaluation's has `rows.json` and the files of lm-eval; a probe's has `rows.json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import singledispatchmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness._util.distributed import rank
from harness._util.memory import peak_memory, reset_peak_memory
from harness.errors import PluginError
from harness.evaluation.language_models import release_models
from harness.execution.artifact_cache import StoredArtifactCache
from harness.execution.checkpoints import CheckpointFolders
from harness.execution.json_data import write_json
from harness.execution.outputs import check_output
from harness.execution.plugin_instances import LazyDomains, PluginInstances, described, plugin_faults
from harness.execution.probe_scores import ProbeScores
from harness.execution.seeds import named_seed
from harness.planning.node import Node, TrainingNode
from harness.planning.nodes import EvaluateNode, MergeNode, ProbeNode, RecoverNode, StateNode, TrainNode
from harness.planning.plan import Plan
from harness.plugin.artifacts import ArtifactCache
from harness.plugin.interfaces import (
    Cost,
    Expert,
    LineageEntry,
    Progress,
    StepResult,
    TaskSet,
    TrainingCall,
    TrainingContext,
    TrainingDomain,
)
from harness.plugin.merge_interface import MergeContext
from harness.plugin.probe_interface import ProbeContext
from harness.plugin.recovery_interface import RecoveryContext
from harness.plugin.specs import ProbeSpec
from harness.protocol.evaluation_settings import EvaluationSettings

if TYPE_CHECKING:
    from harness.execution.store import Store
    from harness.plugin.registry import RegisteredPlugin, Registry

Evaluator = Callable[[Path, TaskSet, EvaluationSettings, Path], None]
"""A function that evaluates a checkpoint: (model folder, tasks, their folder, settings, output folder)."""


class NodeComputation:
    """Computes the nodes of one plan. evaluator: lm-eval by default."""

    def __init__(self, plan: Plan, registry: Registry, store: Store, evaluator: Evaluator | None) -> None:
        self.plan = plan
        self.store = store
        self.plugins = PluginInstances(registry)
        self.checkpoints = CheckpointFolders(plan, store, registry, plugins=self.plugins)
        self._evaluator = evaluator
        self._scratch: Path

    def compute(self, node: Node, folder: Path, progress: Progress, *, scratch: Path | None = None) -> None:
        """Computes a node into `folder`. scratch: that of the process that launched this one, or of a state for which a
        training runs again; by default the node's own."""
        if not isinstance(node, EvaluateNode):
            release_models()
            reset_peak_memory()
            self._scratch = scratch or self.store.scratch(node.key)
        self._compute(node, folder, progress)

    def take_state(self, node: StateNode, folder: Path, written: Path) -> None:
        """Moves the model of a state, which its training has written to `written`, into `folder`, and checks it."""
        assert node.trained_with is not None
        written.rename(folder / "model")
        check_output(folder / "model", self.plugins.registered(node.trained_with))
        write_json(folder / "result.json", {"cost": asdict(Cost()), "report": {}})  # the cost is that of the training

    @singledispatchmethod
    def _compute(self, node: Node, folder: Path, progress: Progress) -> None:
        raise TypeError(f"a {type(node).__name__} cannot be computed")

    @_compute.register
    def _train(self, node: TrainNode, folder: Path, progress: Progress) -> None:
        registered = self.plugins.registered(node.algorithm)
        work, metrics = self._workplace(folder)
        domains = LazyDomains(self.plan.domains, self.plugins, trained=self.plan.last_trainings(node.start))
        trained = [replace(domains[name], weight=weight) for name, weight in node.domains.items()]
        algorithm = self.plugins.algorithm(node.algorithm)
        context = TrainingContext(
            checkpoint=self.checkpoints.folder(node.start),
            output=folder / "model",
            scratch=work,
            metrics=metrics,
            domains=trained,
            seed=named_seed(node.seed, "train", self._depth(node.key)),
            progress=progress,
            earlier=[domains[name] for name in node.earlier],
            lineage=self._lineage(node.lineage) if node.whole_lineage else (),
            cache=StoredArtifactCache(self.plan, node, self.store, registered) if node.whole_lineage else None,
            states=self._states(node),
            experts=self._experts(node),
        )
        with plugin_faults(registered, node.label, self.store.root):
            result = algorithm.train(context)
        self._keep(registered, result, folder, metrics)

    @_compute.register
    def _recover(self, node: RecoverNode, folder: Path, progress: Progress) -> None:
        registered = self.plugins.registered(node.recovery)
        work, metrics = self._workplace(folder)
        readable = self.plan.domains_before(node.key)  # no others are part of the key
        domains = LazyDomains(
            {name: self.plan.domains[name] for name in readable},
            self.plugins,
            trained=self.plan.last_trainings(node.parents[-1]),
        )
        depth = self._depth(node.key)
        lineage = self._lineage(node.lineage)
        cache = StoredArtifactCache(self.plan, node, self.store, registered)
        context = RecoveryContext(
            lineage=lineage,
            target=node.targets[0],
            peak=node.peaks[node.targets[0]],
            targets=node.targets,
            peaks=node.peaks,
            domains=domains,
            output=folder / "model",
            scratch=_made(work / "recovery"),
            metrics=metrics,
            seed=named_seed(node.seed, "recover", depth),
            progress=progress,
            train=self._training_call(node, domains, folder, progress, cache),
            cache=cache,
        )
        recovery = self.plugins.recovery(node.recovery)
        with plugin_faults(registered, node.label, self.store.root):
            result = recovery.recover(context)
        self._keep(registered, result, folder, metrics)

    @_compute.register
    def _merge(self, node: MergeNode, folder: Path, progress: Progress) -> None:
        registered = self.plugins.registered(node.merge)
        work, metrics = self._workplace(folder)
        depth = self._depth(node.key)
        domains = LazyDomains({name: self.plan.domains[name] for name in node.trained}, self.plugins)
        cache = StoredArtifactCache(self.plan, node, self.store, registered)
        context = MergeContext(
            base=self.checkpoints.folder(node.start),
            experts=self._experts(node),
            output=folder / "model",
            scratch=work,
            seed=named_seed(node.seed, "merge", depth),
            progress=progress,
            domains=domains,
            train=self._training_call(node, domains, folder, progress, cache),
        )
        merge = self.plugins.merge(node.merge)
        with plugin_faults(registered, node.label, self.store.root):
            result = merge.merge(context)
        self._keep(registered, result, folder, metrics)

    @_compute.register
    def _evaluate(self, node: EvaluateNode, folder: Path, _: Progress) -> None:
        use = self.plan.scored_by(node.domain)
        registered = self.plugins.registered(use)
        domain = self.plugins.domain(use)
        checkpoint = self.checkpoints.folder(node.parents[0])
        with plugin_faults(registered, node.label, self.store.root):
            tasks = TaskSet.of(domain)
        if not tasks.tasks:
            raise PluginError("has no tasks for its evaluation", where=described(registered))
        with plugin_faults(registered, node.label, self.store.root):  # tasks call functions of the domain
            self._evaluator_or_default()(checkpoint, tasks, node.settings, folder)

    def _evaluator_or_default(self) -> Evaluator:
        if self._evaluator is None:
            from harness.evaluation.lm_eval import evaluate_checkpoint

            self._evaluator = evaluate_checkpoint
        return self._evaluator

    @_compute.register
    def _probe(self, node: ProbeNode, folder: Path, progress: Progress) -> None:
        registered = self.plugins.registered(node.probe)
        probe = self.plugins.probe(node.probe)
        scratch = self._scratch
        scores = ProbeScores(self.plan, self.plugins, self._evaluator_or_default(), scratch / "scores")
        context = ProbeContext(
            lineage=self._lineage(node.lineage),
            domains=LazyDomains(self.plan.domains, self.plugins, trained=self.plan.last_trainings(node.start)),
            scratch=_made(scratch / "work"),
            seed=named_seed(node.seed, "probe"),
            progress=progress,
            score=scores if isinstance(registered.spec, ProbeSpec) and registered.spec.scores else None,
            cache=StoredArtifactCache(self.plan, node, self.store, registered),
            states=self._states_read(node),
        )
        with plugin_faults(registered, node.label, self.store.root):
            rows = [dict(row) for row in probe.measure(context)]
        if len({tuple(row) for row in rows}) > 1:
            raise PluginError("returned rows with different keys", where=described(registered))
        _write_report(folder / "rows.json", rows, registered)

    def _training_call(
        self,
        node: RecoverNode | MergeNode,
        trainable: Mapping[str, TrainingDomain],
        folder: Path,
        progress: Progress,
        cache: ArtifactCache,
    ) -> TrainingCall | None:
        """Returns the training that a recovery or a merge may start, None if it does not train.

        trainable: the domains that it may train or replay.
        """
        use = node.training
        if use is None:
            return None

        def train(checkpoint: Path, domains: Sequence[str], *, mask: Path | None = None) -> StepResult:
            work, metrics = self._workplace(folder)
            context = TrainingContext(
                checkpoint=checkpoint,
                output=folder / "model",
                scratch=_made(work / "training"),
                metrics=metrics,
                domains=[trainable[name] for name in domains],
                seed=named_seed(node.seed, node.kind, "train", self._depth(node.key)),
                progress=progress,
                earlier=[trainable[name] for name in node.earlier if name not in domains],
                whole=True,
                lineage=self._lineage(node.lineage),
                cache=cache,
                mask=mask,
                states=self._states(node),
                experts=self._experts(node),
            )
            with plugin_faults(self.plugins.registered(use), node.label, self.store.root):
                return self.plugins.algorithm(use).train(context)

        return train

    def _workplace(self, folder: Path) -> tuple[Path, Path]:
        """Returns the step's work folder and metrics file, which are kept if the process is killed."""
        _made(folder / "model")
        return _made(self._scratch / "work"), self._scratch / "metrics.jsonl"

    def _states(self, node: TrainingNode) -> dict[int, Path]:
        """Returns where a training writes its states: all of the plan, so that the ranks of a launched step agree."""
        return {
            state.optimizer_step: state_folder(self._scratch, state.optimizer_step)
            for state in self.plan.states.get(node.key, ())
        }

    def _states_read(self, node: ProbeNode) -> dict[int, dict[int, Path]]:
        """Returns the model folders of the states that a probe reads, by step of its lineage and optimizer steps."""
        found: dict[int, dict[int, Path]] = {}
        for key in node.states:
            state = self.plan.nodes[key]
            assert isinstance(state, StateNode)
            step = node.lineage.index(state.training.key)
            found.setdefault(step, {})[state.optimizer_step] = self.checkpoints.folder(key)
        return found

    def _keep(self, registered: RegisteredPlugin, result: StepResult, folder: Path, metrics: Path) -> None:
        """Checks the model of a step and writes the other files of its folder. Raises PluginError if there is no model,
        StepFailed if the model diverged.

        With several ranks, only the first does this, because the others write nothing.
        """
        if rank() > 0:
            return
        check_output(folder / "model", registered)
        if not isinstance(result, StepResult):
            raise PluginError(
                f"returned a {type(result).__name__}", where=described(registered), hint="return a StepResult"
            )
        content = {
            "cost": asdict(result.cost),
            "report": {**result.report, **peak_memory()},
            **_parameters(folder / "model"),
        }
        _write_report(folder / "result.json", content, registered)
        lines = metrics.read_text(encoding="utf-8").splitlines() if metrics.exists() else []
        whole = "".join(
            f"{line}\n" for line in lines if _is_json(line)
        )  # the last line of a killed process is incomplete
        (folder / "metrics.jsonl").write_text(whole, encoding="utf-8")

    def _lineage(self, keys: Sequence[str]) -> list[LineageEntry]:
        return [
            LineageEntry(
                step=step,
                label=self.plan.nodes[key].label,
                domains=self.plan.nodes[key].trained_domains,
                folder=self.checkpoints.folder(key),
            )
            for step, key in enumerate(keys)
        ]

    def _experts(self, node: TrainingNode) -> list[Expert]:
        weights = node.weights if isinstance(node, MergeNode) else [1.0] * len(node.experts)
        return [
            Expert(name=name, weight=weight, domains=self._trained_to(key), folder=self.checkpoints.folder(key))
            for name, weight, key in zip(node.experts, weights, node.merged_checkpoints, strict=True)
        ]

    def _trained_to(self, key: str) -> tuple[str, ...]:
        """Returns the domains that the steps up to the checkpoint `key` trained, by name."""
        steps = (self.plan.nodes[step] for step in self.plan.lineage_of(key))
        return tuple(sorted({name for step in steps for name in step.trained_domains}))

    def _depth(self, key: str) -> int:
        """Returns the number of steps from the base to the checkpoint `key`, inclusive."""
        return len(self.plan.lineage_of(key)) - 1


def state_folder(scratch: Path, optimizer_step: int) -> Path:
    """Returns where a training with this scratch folder writes the model that it has after some optimizer steps."""
    return scratch / "states" / str(optimizer_step)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _parameters(model: Path) -> dict[str, Any]:
    """Returns the part of a result with the number of the model's parameters, empty for an adapter."""
    from harness.weights import count_parameters
    from harness.weights.storage_forms import form_of

    return {} if form_of(model) is not None else {"parameters": asdict(count_parameters(model))}


def _write_report(path: Path, value: object, registered: RegisteredPlugin) -> None:
    try:
        write_json(path, value)
    except TypeError as error:
        raise PluginError(f"returned a report that is not JSON data: {error}", where=described(registered)) from error


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except json.JSONDecodeError:
        return False
    return True
