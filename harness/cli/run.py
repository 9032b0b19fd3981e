"""`harness run`: from a protocol to its leaderboard, making only what the store lacks."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness._util.signals import told_to_a_person
from harness.cli.console import safe_console, terminal
from harness.cli.selection import (
    DeltasOption,
    MethodsOption,
    ProtocolArgument,
    RunsOption,
    SeedsOption,
    VerifyOption,
    methods_from,
    seeds_from,
)
from harness.cli.session import Session, runs_folder, session_of
from harness.errors import HarnessError, StepFailed
from harness.weights.storage_forms import Deltas

if TYPE_CHECKING:
    from harness.execution.runner import RunOutcome
    from harness.planning.plan import Plan
    from harness.plugin.engine_interface import Engine
    from harness.protocol import Protocol


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("run")(run)


def run(
    context: typer.Context,
    protocol: ProtocolArgument,
    *,
    runs: RunsOption = None,
    seeds: SeedsOption = None,
    methods: MethodsOption = None,
    engine: Annotated[str, typer.Option("--engine", metavar="NAME", help="Where steps run.")] = "local",
    deltas: DeltasOption = Deltas.AUTO,
    verify: VerifyOption = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be made, and make nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; progress goes to standard error.")] = False,
) -> None:
    """Run a protocol: train, recover, score, and print the leaderboard. Run it again to go on after a stop."""
    from harness.planning.planner import make_plan
    from harness.protocol import find_protocol, load_protocol

    session = session_of(context)
    registry = session.registry
    offer = registry.find("engine", engine)
    path = find_protocol(protocol, registry)
    read = load_protocol(path, registry, seeds=seeds_from(seeds), methods=methods_from(methods))
    if not dry_run:
        read.check_here()
    plan = make_plan(read, registry)
    root = runs_folder(runs)
    if dry_run:
        show_dry_run(plan, root, as_json=as_json)
        return
    chosen = [part for name, text in (("--seeds", seeds), ("--methods", methods)) if text for part in (name, text)]
    with told_to_a_person():
        runs_on = offer.build(offer.config_type()())
        outcome = _run(session, read, plan, root=root, engine=runs_on, chosen=chosen, deltas=deltas, verify=verify)
    if as_json:
        typer.echo(json.dumps(outcome_to_json(outcome), indent=2))
    else:
        from harness.cli.show import print_leaderboard

        print_leaderboard(outcome.folder, terminal())
    if outcome.failures:
        if session.debug:
            for failure in outcome.failures:
                traceback.print_exception(failure.error)
        raise told_failure(outcome)


def _run(
    session: Session,
    protocol: Protocol,
    plan: Plan,
    *,
    root: Path,
    engine: Engine,
    chosen: Sequence[str],
    deltas: Deltas,
    verify: bool,
) -> RunOutcome:
    from harness._util.console_log import lasting_stderr
    from harness.execution.progress import reporter_for
    from harness.execution.provenance import told_command
    from harness.execution.run_folder import CONSOLE_LOG, run_folder_of
    from harness.execution.runner import Runner
    from harness.execution.store import Store

    folder = run_folder_of(root, plan)
    lasting = None if session.debug else lasting_stderr()
    reporter = reporter_for(safe_console(file=lasting, stderr=lasting is None))
    reporter.note(f"run: {folder}")

    def waiting(key: str) -> None:
        reporter.note(f"waiting: another process is making {plan.nodes[key].label} ({key[:12]})")

    runner = Runner(
        protocol=protocol,
        plan=plan,
        registry=session.registry,
        store=Store(root / "store", waiting=waiting, verify=verify),
        engine=engine,
        run_root=root,
        reporter=reporter,
        command=["harness", *told_command(sys.argv[1:], Path.cwd())],
        global_arguments=[*(["--debug"] if session.debug else []), *_without(session)],
        arguments=[*chosen, "--delta-checkpoints", deltas, *([] if verify else ["--no-verify"])],
        deltas=deltas,
    )
    log = folder / CONSOLE_LOG if lasting is not None else None
    with lasting or nullcontext():
        return runner.run(log)


def _without(session: Session) -> list[str]:
    return [part for distribution in session.without for part in ("--without", distribution)]


def show_dry_run(plan: Plan, root: Path, *, as_json: bool) -> None:
    """Prints where the run would lie and, in the order they would be made, what is done and what is to do."""
    from harness.execution.run_folder import run_folder_of
    from harness.execution.runner import walk_order
    from harness.execution.store import Store
    from harness.planning.titles import title_of

    store = Store(root / "store")
    rows: list[dict[str, Any]] = [
        {"key": node.key, "kind": node.kind, "label": node.label, "seed": node.seed, "done": store.has(node.key)}
        for node in walk_order(plan)
    ]
    folder = run_folder_of(root, plan)
    if as_json:
        typer.echo(json.dumps({"run": str(folder), "nodes": rows}, indent=2))
        return
    typer.echo(f"run: {folder}")
    for row in rows:
        title = title_of(row["kind"], row["label"], row["seed"])
        typer.echo(f"{'done ' if row['done'] else 'to do'}  {title}")
    done = sum(bool(row["done"]) for row in rows)
    typer.echo(f"{len(rows)} results: {done} in the store, {len(rows) - done} to make; nothing was made")


def outcome_to_json(outcome: RunOutcome) -> dict[str, Any]:
    """Returns what a run came to as JSON data."""
    from harness.execution.run_folder import LEADERBOARD

    return {
        "run": str(outcome.folder),
        "leaderboard": str(outcome.folder / LEADERBOARD),
        "nodes": outcome.nodes,
        "done_before": outcome.done,
        "executed": outcome.executed,
        "failures": [
            {"key": failure.node.key, "label": failure.node.label, "error": str(failure.error)}
            for failure in outcome.failures
        ],
        "left": [node.label for node in outcome.left],
    }


def told_failure(outcome: RunOutcome) -> HarnessError:
    """Returns the error of a run in which some steps failed: each with its reason, and what that left undone."""
    count = len(outcome.failures)
    lines = [f"{count} step{'s' if count > 1 else ''} failed"]
    for failure in outcome.failures:
        place = "" if failure.error.where == failure.node.label else f"{failure.node.label}: "
        lines += [f"  {line}" for line in f"{place}{failure.error}".splitlines()]
    if outcome.left:
        lines.append(f"  {len(outcome.left)} further results depend on what failed and were not made")
    return StepFailed("\n".join(lines), hint="run the same command again: what is done is kept")
