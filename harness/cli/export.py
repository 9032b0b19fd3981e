"""`harness export`: exports a checkpoint as a Hugging Face folder with a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.session import session_of
from harness.errors import UsageError


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("export")(export)


def export(
    context: typer.Context,
    *,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or a protocol's name for its latest run.")],
    method: Annotated[str, typer.Argument(metavar="METHOD", help="A method of the run.")],
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A new or empty folder. May be left out with --push.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the checkpoint. Default: the first.")] = None,
    step: Annotated[
        int | None, typer.Option("--step", help="Step of the checkpoint; 0 is the base model. Default: the last.")
    ] = None,
    push: Annotated[
        str | None, typer.Option("--push", metavar="ORG/NAME", help="Push to this model repository of the hub.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Create the repository as a private one.")] = False,
    runs: Annotated[Path | None, typer.Option("-o", "--runs", metavar="RUNS", help="The folder of runs.")] = None,
) -> None:
    """Copy a checkpoint to a Hugging Face folder, with a model card and its evaluation results, or push it to the
    hub."""
    from harness.api import load_run

    if directory is None and push is None:
        raise UsageError("there is no place to export to", hint="name a new folder, or a repository with --push")
    found = load_run(run, output=runs, finished=True, registry=session_of(context).registry)
    if directory is not None:
        typer.echo(str(found.export(method, directory, seed=seed, step=step)))
    if push is not None:
        typer.echo(found.push(method, push, seed=seed, step=step, private=private))
