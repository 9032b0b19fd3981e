"""`harness compare`: two runs beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("compare")(compare)


def compare(
    first: Annotated[str, typer.Argument(metavar="RUN_A", help="A run's folder or name, or an archived leaderboard.")],
    second: Annotated[str, typer.Argument(metavar="RUN_B", help="The run to compare it with.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write a page (.html) or its figure (.svg) to this file."),
    ] = None,
    items: Annotated[
        bool, typer.Option("--items/--no-items", help="Count the test items that only one run answers right.")
    ] = True,
    runs: Annotated[Path | None, typer.Option("--runs", metavar="RUNS", help="The folder of runs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare two runs: the settings that differ, scores paired by seed with their intervals, and the test items that
    only one of them answers right. Differences are RUN_A minus RUN_B.

    `harness leaderboard compare` compares methods of one run.
    """
    from harness import api
    from harness._util.console import terminal
    from harness.cli.compare_view import print_comparison

    found = api.compare(first, second, items=items, output=runs)
    if output is not None:
        typer.echo(str(api.write_comparison(found, output)), err=True)
    if as_json:
        typer.echo(found.to_json(), nl=False)
    elif output is None:
        print_comparison(found, terminal())
