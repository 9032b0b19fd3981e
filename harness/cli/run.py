"""`harness run`: runs a protocol; computes only results that are not in the store."""

from __future__ import annotations

import json
import sys
import traceback
from typing import TYPE_CHECKING, Annotated

import typer

from harness import Deltas
from harness._util.console import terminal
from harness._util.signals import interrupts_as_errors
from harness.cli.selection import (
    DeltasOption,
    MethodsOption,
    ObserverOption,
    ProtocolArgument,
    RunsOption,
    SeedsOption,
    VerifyOption,
    methods_from,
    seeds_from,
)
from harness.cli.session import session_of

if TYPE_CHECKING:
    from harness.api import PlannedRun
    from harness.cli.session import Session


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
    engine: Annotated[
        str | None,
        typer.Option("--engine", metavar="NAME", help="Where steps are executed. Default: the protocol's, or local."),
    ] = None,
    jobs: Annotated[
        str | None,
        typer.Option(
            "--jobs", metavar="N", help="Steps to execute at a time, or auto. Default: HARNESS_JOBS, or auto."
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, metavar="N", help="CPU threads of each step. Default: by the model's size."),
    ] = None,
    observers: ObserverOption = None,
    deltas: DeltasOption = Deltas.AUTO,
    verify: VerifyOption = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be computed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; progress goes to standard error.")] = False,
) -> None:
    """Run a protocol: train, recover, score, and print the leaderboard. Run it again to resume after a stop."""
    from harness import api
    from harness.api.running import jobs_from
    from harness.api.running import run as run_protocol  # `api.run` is also a module

    session = session_of(context)
    these, only = seeds_from(seeds), methods_from(methods)
    if dry_run:
        if engine is not None:
            session.registry.find("engine", engine)
        show_dry_run(
            api.plan(protocol, seeds=these, methods=only, output=runs, registry=session.registry), as_json=as_json
        )
        return
    with interrupts_as_errors(resumable=True):
        done = run_protocol(
            protocol,
            seeds=these,
            methods=only,
            output=runs,
            engine=engine,
            jobs=None if jobs is None else jobs_from(jobs, where="--jobs"),
            threads=threads,
            observers=observers or (),
            deltas=deltas,
            verify=verify,
            check=False,
            registry=session.registry,
            command=["harness", *sys.argv[1:]],
            global_arguments=[*(["--debug"] if session.debug else []), *_without(session)],
        )
    assert done.outcome is not None
    if as_json:
        typer.echo(json.dumps(done.outcome.to_json(), indent=2))
    else:
        from harness.cli.show import print_leaderboard

        print_leaderboard(done, terminal())
    if done.failures:
        if session.debug:
            for failure in done.failures:
                traceback.print_exception(failure.error)
        raise api.failure_of(done.outcome)


def _without(session: Session) -> list[str]:
    return [part for distribution in session.without for part in ("--without", distribution)]


def show_dry_run(planned: PlannedRun, *, as_json: bool) -> None:
    """Prints the run folder and the state of all results, in execution order."""
    rows = planned.nodes.to_dicts()
    if as_json:
        typer.echo(json.dumps({"run": str(planned.folder), "nodes": rows}, indent=2))
        return
    typer.echo(f"run: {planned.folder}")
    for row, title in zip(rows, planned.titles, strict=True):
        typer.echo(f"{'done ' if row['done'] else 'to do'}  {title}")
    done = sum(row["done"] for row in rows)
    typer.echo(f"{len(rows)} results: {done} in the store, {len(rows) - done} to compute; nothing was computed")
