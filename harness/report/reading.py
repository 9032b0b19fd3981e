"""Reads the data of a report from the folder of a run or of a kept leaderboard. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.execution.run_folder import LEADERBOARD, PLAN, PREDICTION, PROTOCOL, RunFolder
from harness.execution.store import Store
from harness.execution.store_marker import DamagedResult
from harness.execution.stored_probe_rows import stored_probe_rows
from harness.planning.plan import Plan
from harness.planning.serialization import read_plan
from harness.prediction.kept import PredictionRecord, read_prediction
from harness.report.kept_steps import FILE as STEPS
from harness.report.kept_steps import read_steps
from harness.report.record import RunRecord, RunState, StepReport
from harness.report.training_curves import FILE as CURVES
from harness.report.training_curves import parse_curves, read_curves
from harness.results.leaderboard import Leaderboard
from harness.results.probe_tables import FILE as PROBES
from harness.results.probe_tables import ProbeRecord
from harness.results.score_curves import FILE as SCORE_CURVES
from harness.results.score_curves import ScoreCurves


def read_run(folder: Path, prediction: Path | None = None) -> RunRecord:
    """Returns the record of a run, which may be complete, stopped or still running, or of a kept leaderboard.

    If the store has more results than the folder's leaderboard, the leaderboard is built again in memory. prediction: a
    file with the output of `harness predict`; by default the one in the folder, if any. Raises UsageError if the folder
    has neither a plan nor a leaderboard, or if one of them or `prediction` cannot be read.
    """
    foretold, problems = _prediction(folder, prediction)
    run = RunFolder(folder)
    protocol = _text(folder / PROTOCOL)
    if not (folder / PLAN).is_file():
        leaderboard = Leaderboard.read(folder / LEADERBOARD)
        return RunRecord(
            leaderboard=leaderboard,
            protocol=protocol,
            provenance=run.provenance() or leaderboard.provenance,
            probes=ProbeRecord.read(folder / PROBES).rows() if (folder / PROBES).is_file() else (),
            steps=read_steps(folder / STEPS) if (folder / STEPS).is_file() else (),
            prediction=foretold,
            curves=parse_curves(folder / CURVES) if (folder / CURVES).is_file() else (),
            score_curves=ScoreCurves.read(folder / SCORE_CURVES) if (folder / SCORE_CURVES).is_file() else None,
            problems=tuple(problems),
        )
    plan = read_plan(folder / PLAN)
    store = Store(folder.resolve().parent / "store")
    keys = [node.key for node in plan.results]
    done = [key for key in keys if store.has(key)]
    kept = (folder / LEADERBOARD).is_file()
    if kept and (not done or run.tables_hold(len(done))):
        leaderboard = Leaderboard.read(folder / LEADERBOARD)
    else:
        leaderboard = _built(plan, store, run)
    steps, unread = _steps(plan, store)
    probes, further = stored_probe_rows(plan, store)
    curves, unreadable = read_curves(plan, store)
    return RunRecord(
        leaderboard=leaderboard,
        protocol=protocol,
        provenance=run.provenance() or leaderboard.provenance,
        steps=steps,
        probes=probes,
        state=_state(run.events(), done=len(done), nodes=len(keys), kept=kept),
        prediction=foretold,
        curves=curves,
        score_curves=_score_curves(plan, store, folder / SCORE_CURVES) if plan.scores_states else None,
        problems=(*problems, *unread, *further, *unreadable),
    )


def _prediction(folder: Path, file: Path | None) -> tuple[PredictionRecord | None, list[str]]:
    """Returns the prediction in `file`, or otherwise that in the folder and the problems of reading it."""
    if file is not None:
        return read_prediction(file), []
    if not (folder / PREDICTION).is_file():
        return None, []
    try:
        return read_prediction(folder / PREDICTION), []
    except UsageError:
        return None, [PREDICTION]


def _built(plan: Plan, store: Store, run: RunFolder) -> Leaderboard:
    from harness.execution.leaderboard import build_leaderboard
    from harness.execution.score_table import collect_scores

    return build_leaderboard(collect_scores(plan, store), plan, store, run.provenance())


def _score_curves(plan: Plan, store: Store, kept: Path) -> ScoreCurves | None:
    """Returns the score curves of the results in the store; those in the run's folder if the store is not there."""
    from harness.execution.score_curves import build_curves, collect_curves

    if any(store.has(node.key) for node in plan.results):
        return build_curves(collect_curves(plan, store), plan)
    return ScoreCurves.read(kept) if kept.is_file() else None


def _state(events: Sequence[Mapping[str, Any]], *, done: int, nodes: int, kept: bool) -> RunState:
    ends = [event for event in events if event.get("event") in ("run_started", "run_finished")]
    last: Mapping[str, Any] = ends[-1] if ends else {}
    ended = last.get("event") == "run_finished"
    return RunState(
        done=done,
        nodes=nodes,
        running=last.get("event") == "run_started",
        stopped=str(last.get("stopped") or "") if ended else "",
        failed=int(last.get("failed") or 0) if ended else 0,
        store_missing=kept and not done,
    )


def _steps(plan: Plan, store: Store) -> tuple[tuple[StepReport, ...], list[str]]:
    methods: dict[str, list[str]] = {}
    places: dict[str, tuple[int, int]] = {}
    for method in plan.methods:
        for step, key in enumerate(method.lineage[1:], start=1):
            methods.setdefault(key, []).append(method.name)
            places.setdefault(key, (method.seed, step))
    found, problems = [], []
    for key, (seed, step) in places.items():
        try:
            if not store.holds(key):
                continue
            read = store.read_json(key, "result.json")
        except DamagedResult:
            read = None
        report = read.get("report") if isinstance(read, dict) else None
        if not isinstance(report, dict):
            problems.append(f"{key[:12]}/result.json, of {plan.nodes[key].label}")
            continue
        label = plan.nodes[key].label
        found.append(StepReport(methods=tuple(methods[key]), seed=seed, step=step, label=label, report=report))
    return tuple(found), problems


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {error}", where=str(path)) from error
