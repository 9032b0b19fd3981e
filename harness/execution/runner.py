"""Runs a plan: an engine computes the missing nodes. Imports no training or evaluation library."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness._util.console_log import output_to
from harness._util.disk import comes_of_full, format_bytes
from harness._util.disk_errors import StoreFull
from harness._util.signals import Terminated
from harness.execution import Evaluator, Executor
from harness.execution.dispatch import Dispatcher, Failure, Walk
from harness.execution.events import NodeEvents
from harness.execution.node_watch import NodeWatch
from harness.execution.progress import Reporter
from harness.execution.provenance import gather_provenance
from harness.execution.readiness import FaultsBeforeStart, faults_before_start, gathered_faults
from harness.execution.requests import request_of
from harness.execution.run_folder import LEADERBOARD, SCORE_CURVES, SCORES, RunFolder, run_folder_of
from harness.execution.store import Store
from harness.planning.checks import check_needs, check_space, check_writable
from harness.planning.counts import workloads_of
from harness.planning.disk_need import DiskNeed, disk_need, size_of
from harness.planning.estimate import expected_seconds
from harness.planning.node import Node
from harness.planning.plan import Plan
from harness.plugin.engine_interface import Engine, NodeRequest
from harness.plugin.events import RunFinished, RunStarted
from harness.protocol import Protocol
from harness.weights.storage_forms import Deltas

if TYPE_CHECKING:
    from harness.plugin.registry import Registry


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """The outcome of a run. done: nodes that were in the store before. left: nodes skipped because a parent failed."""

    folder: Path
    nodes: int
    done: int
    executed: int
    failures: tuple[Failure, ...]
    left: tuple[Node, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the outcome as JSON data."""
        return {
            "run": str(self.folder),
            "leaderboard": str(self.folder / LEADERBOARD),
            "nodes": self.nodes,
            "done_before": self.done,
            "executed": self.executed,
            "failures": [
                {"key": failure.node.key, "label": failure.node.label, "error": str(failure.error)}
                for failure in self.failures
            ],
            "left": [node.label for node in self.left],
        }


def walk_order(plan: Plan) -> list[Node]:
    """Returns every node except the base, depth first: a checkpoint, its evaluations, the states within its training
    with theirs, then the next step of its method.

    A merge comes after its experts, even if their own methods come later."""
    order: dict[str, None] = {}

    def behind_its_parents(key: str) -> None:
        for parent in plan.nodes[key].parents:
            if parent not in order:
                behind_its_parents(parent)
        order.setdefault(key)

    for method in plan.methods:
        for key in method.lineage:
            behind_its_parents(key)
            for checkpoint in (key, *(state.key for state in plan.states.get(key, ()))):
                order.setdefault(checkpoint)
                for evaluation in plan.evaluations.get(checkpoint, {}).values():
                    order.setdefault(evaluation)
        for probe in method.probes:
            order.setdefault(probe)
    for key in plan.nodes:
        order.setdefault(key)
    return [plan.nodes[key] for key in order if key != plan.base.key]


class Runner:
    """Runs one plan.

    command: the command line, for the record. arguments: those of `harness exec-node` behind protocol and key, and
    before it the global ones, that plan the same nodes elsewhere. evaluator: used instead of lm-eval. deltas: when a
    step's model is stored as a delta. faults: used instead of the checks at the start.
    """

    def __init__(
        self,
        *,
        protocol: Protocol,
        plan: Plan,
        registry: Registry,
        store: Store,
        engine: Engine,
        run_root: Path,
        reporter: Reporter,
        command: Sequence[str] = (),
        global_arguments: Sequence[str] = (),
        arguments: Sequence[str] = (),
        evaluator: Evaluator | None = None,
        deltas: Deltas = Deltas.AUTO,
        faults: FaultsBeforeStart | None = None,
    ) -> None:
        self._faults_before_start = faults or faults_before_start
        self._protocol = protocol
        self._plan = plan
        self._metrics = {name: use.definition() for name, use in protocol.metrics.items()}
        self._registry = registry
        self._store = store
        self._engine = engine
        self._run_root = run_root
        self._reporter = reporter
        self._command = list(command)
        self._global_arguments = list(global_arguments)
        self._arguments = list(arguments)
        self._deltas = deltas
        command_of = partial(self._command_here, "exec-node")
        self._executor = Executor(plan, registry, store, evaluator=evaluator, command=command_of, deltas=deltas)
        self._folder = RunFolder(run_folder_of(run_root, plan))
        self._events = NodeEvents(self._folder, plan, registry, store, reporter)
        self._watch = NodeWatch(plan, self._events, reporter, self._executor, self._told_full)
        self._dispatcher = Dispatcher(plan, engine, store, self._watch)
        self._requests: dict[str, NodeRequest] = {}

    def run(self, log: Path | None = None) -> RunOutcome:
        """Computes the missing nodes and writes the tables. If a node fails, the nodes that depend on it are skipped;
        if the base model cannot be scored on a domain, so are the trainings on this domain.

        Raises UsageError or CheckpointError before the first node if the run would fail, StoreFull or StoreForbidden
        for errors of the disk, and KeyboardInterrupt if the run is interrupted; the tables then contain the results so
        far. log: a file for the output of libraries.
        """
        self._executor.restored.drop()  # files of killed runs
        try:
            return self._run(log)
        finally:
            self._executor.drop_restored(())

    def _run(self, log: Path | None) -> RunOutcome:
        order = walk_order(self._plan)
        states = {node.key: self._store.state(node.key) for node in order}
        missing = [node for node in order if states[node.key] != "done"]
        if not missing and self._folder.tables_hold(len(order), self._metrics):
            self._folder.begin(self._protocol, self._plan)  # a plan that cannot be read is written again
            self._reporter.note(f"nothing to make: all {len(order)} results are in the store")
            return self._outcome(order, missing, Walk())
        try:
            self._check(missing)
        except BaseException:
            self._engine.close(stop=True)  # it may have reached a cluster
            raise
        self._folder.begin(self._protocol, self._plan)
        with self._store.in_use(self._plan.key):
            for node in missing:
                if states[node.key] == "damaged":
                    self._reporter.note(f"{node.label}: damaged in the store, computed again ({node.key[:12]})")
                    self._store.remove(node.key)
            return self._compute(order, missing, log)

    def _compute(self, order: Sequence[Node], missing: Sequence[Node], log: Path | None) -> RunOutcome:
        self._store.sweep()
        walk = Walk()
        invocation: dict[str, Any] = {"command": self._command, "started": _now()}
        self._record(invocation)
        done = len(order) - len(missing)
        self._folder.append("run_started", nodes=len(order), done=done, slots=self._engine.slots)
        self._events.tell(
            "harness_run_started",
            RunStarted(protocol=self._plan.protocol, run=self._folder.path, nodes=len(order), done=done),
        )
        self._reporter.begin(len(order), done)
        try:
            with output_to(log):
                self._dispatch(missing, done, walk)
        except BaseException as error:
            self._reporter.end()
            self._record_stop(invocation, order, walk, _why(error))
            raise
        self._reporter.end()
        self._finish(invocation, walk, stopped="")
        self._write_tables(order)
        return self._outcome(order, missing, walk)

    def _outcome(self, order: Sequence[Node], missing: Sequence[Node], walk: Walk) -> RunOutcome:
        return RunOutcome(
            folder=self._folder.path,
            nodes=len(order),
            done=len(order) - len(missing),
            executed=walk.executed,
            failures=tuple(walk.failures),
            left=tuple(walk.left),
        )

    def _check(self, missing: Sequence[Node]) -> None:
        """Raises all known problems of the run in one error."""
        check_writable(self._run_root)
        if not missing:
            return
        folders: list[Path] = []
        done = self._plan.nodes.keys() - {node.key for node in missing}
        self._reporter.note("checking model, data, tasks and rewards")
        with gathered_faults(str(self._protocol.path)) as faults:
            with faults.noted():
                check_needs([self._plan.base, *missing], self._plan, os.environ)
            with faults.noted():
                folders.append(self._executor.plugins.usable_base_folder(self._plan.base))
                check_space(self._run_root, self._disk_need(folders[0], done))
            with faults.noted():
                parameters = size_of(folders[0])[0] if folders else None
                seconds = expected_seconds(self._plan, self._registry, done)
                self._requests = {node.key: self._request(node, parameters, seconds[node.key]) for node in missing}
                self._engine.check(list(self._requests.values()))
            faults.problems += self._faults_before_start(
                self._protocol, self._plan, missing, self._executor.plugins, folders[0] if folders else None
            )

    def _disk_need(self, base: Path, done: Collection[str]) -> DiskNeed:
        """Returns the disk space of the nodes whose keys are not in `done`."""
        parameters, dtype = size_of(base)
        workloads = workloads_of(self._plan, self._registry)
        return disk_need(self._plan, workloads, parameters=parameters, dtype=dtype, without=done, deltas=self._deltas)

    def _dispatch(self, missing: Sequence[Node], done: int, walk: Walk) -> None:
        """Lets the engine compute the missing nodes."""
        # With one slot no order is faster. Equal durations keep that of `missing`: a checkpoint, then its scores.
        several = self._engine.slots != 1
        durations = {key: several * (request.expected_seconds or 0) for key, request in self._requests.items()}
        self._watch.begin(missing, done)
        ended_well = False
        try:
            self._dispatcher.run(self._requests, durations, walk)
            ended_well = True
        finally:
            self._engine.close(stop=not ended_well)

    def _told_full(self, full: StoreFull, node: Node) -> StoreFull:
        """Returns the error with the current node and the disk space that the remaining nodes need."""
        base = self._executor.plugins.base_folder(self._plan.base)
        need = self._disk_need(base, [key for key in self._plan.nodes if self._store.has(key)])
        left = f"the remaining checkpoints take about {format_bytes(need.total_bytes)}"
        return StoreFull(
            f"{full.message}: {node.label} was not finished",
            where=full.where,
            hint=f"{full.hint}; {left}" if need.checkpoints else full.hint,
        )

    def _request(self, node: Node, parameters: int | None, seconds: float | None) -> NodeRequest:
        """Returns what the engine gets for a node. parameters: those of the base model. seconds: an estimate."""
        callbacks = self._dispatcher.callbacks(node)
        return request_of(
            node,
            self._plan,
            self._protocol,
            store=self._store.root,
            run=self._folder.path,
            arguments=self._command_here("exec-node", node.key),
            worker=self._command_here("exec-worker"),
            execute=partial(self._executor.execute, node.key, callbacks["progress"]),
            parameters=parameters,
            expected_seconds=seconds,
            started=callbacks["started"],
            progress=callbacks["progress"],
            note=callbacks["note"],
        )

    def _command_here(self, command: str, *key: str) -> list[str]:
        """Returns a command that computes nodes of this plan in another process."""
        place = [str(self._protocol.path.absolute()), *key, "-o", str(self._run_root.absolute())]
        return [sys.executable, "-m", "harness", *self._global_arguments, command, *place, *self._arguments]

    def _record(self, invocation: dict[str, Any]) -> None:
        """Writes the provenance with this invocation as the latest one of the run."""
        before = self._folder.provenance().get("invocations", [])
        earlier = [other for other in before if other["started"] != invocation["started"]]
        gathered = gather_provenance(self._plan, self._registry)
        self._folder.write_provenance(gathered | {"invocations": [*earlier, invocation]})

    def _record_stop(self, invocation: dict[str, Any], order: Sequence[Node], walk: Walk, stopped: str) -> None:
        """Records a stopped run as far as possible. Errors are reported and do not hide the reason of the stop."""
        try:
            self._finish(invocation, walk, stopped)
            self._write_tables(order)
        except Exception as fault:
            reason = "no space is left on its disk" if comes_of_full(fault) else fault
            self._reporter.note(f"warning: this stop is not fully recorded: {reason}")

    def _finish(self, invocation: dict[str, Any], walk: Walk, stopped: str) -> None:
        invocation |= {"ended": _now(), "executed": walk.executed, "failed": len(walk.failures), "stopped": stopped}
        self._record(invocation)
        self._folder.append(
            "run_finished",
            executed=walk.executed,
            failed=len(walk.failures),
            left=[node.label for node in walk.left],
            stopped=stopped,
        )
        finished = RunFinished(
            protocol=self._plan.protocol,
            run=self._folder.path,
            executed=walk.executed,
            failed=len(walk.failures),
        )
        self._events.tell("harness_run_finished", finished)

    def _write_tables(self, order: Sequence[Node]) -> None:
        from harness._util.files import write_text
        from harness.execution.leaderboard import build_leaderboard
        from harness.execution.metric_columns import with_metrics
        from harness.execution.score_table import collect_scores, write_scores

        done = sum(self._store.has(node.key) for node in order)
        scores = collect_scores(self._plan, self._store)
        write_scores(scores, self._folder.path / SCORES)
        built = build_leaderboard(scores, self._plan, self._store, self._folder.provenance())
        leaderboard = with_metrics(built, self._protocol.metrics, self._registry)
        write_text(self._folder.path / LEADERBOARD, leaderboard.to_json())
        if self._plan.scores_states:
            self._write_curves()
        self._folder.tables_written(done, self._metrics)

    def _write_curves(self) -> None:
        from harness._util.files import write_text
        from harness.execution.score_curves import build_curves, collect_curves
        from harness.execution.score_table import write_scores
        from harness.results.score_curves import FILE

        curves = collect_curves(self._plan, self._store)
        write_scores(curves, self._folder.path / SCORE_CURVES)
        write_text(self._folder.path / FILE, build_curves(curves, self._plan).to_json())


def _why(error: BaseException) -> str:
    if isinstance(error, Terminated):
        return "stopped by SIGTERM"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return str(error) or type(error).__name__


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
