"""`harness status`: shows the status of a run at this moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from harness.api.protocols import runs_folder

WatchedRun = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]",
        help="A run's folder, or a protocol's name or file for its latest run. Default: the latest run.",
    ),
]
RunsFolder = Annotated[Path | None, typer.Option("-o", "--runs", metavar="RUNS", help="The folder of runs.")]


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("status")(status)


def status(
    *,
    run: WatchedRun = None,
    runs: RunsFolder = None,
    every_node: Annotated[bool, typer.Option("--nodes", help="Show every result, not only the running ones.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the status of every result as JSON.")] = False,
) -> None:
    """Show what a run does: its running and failed results, their last metrics, the slots in use and the time left."""
    from harness._util.console import terminal
    from harness.api import Run
    from harness.api.find_run import find_watched_folder
    from harness.cli.status_view import overview

    found = Run(find_watched_folder(run, runs_folder(runs))).status()
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
        return
    terminal().print(overview(found, every_node=every_node), soft_wrap=False)
