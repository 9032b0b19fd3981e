"""`harness export`: exports a checkpoint as a Hugging Face folder with a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.session import session_of


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("export")(export)


def export(
    context: typer.Context,
    *,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or a protocol's name for its latest run.")],
    method: Annotated[str, typer.Argument(metavar="METHOD", help="A method of the run.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the checkpoint. Default: the first.")] = None,
    step: Annotated[
        int | None, typer.Option("--step", help="Step of the checkpoint; 0 is the base model. Default: the last.")
    ] = None,
    runs: Annotated[Path | None, typer.Option("-o", "--runs", metavar="RUNS", help="The folder of runs.")] = None,
) -> None:
    """Copy a checkpoint to a Hugging Face folder, with a model card and its evaluation results."""
    from harness.api import load_run

    found = load_run(run, output=runs, finished=True, registry=session_of(context).registry)
    typer.echo(str(found.export(method, directory, seed=seed, step=step)))
