"""`harness show`: a run's leaderboard, what happened after each step, and its recoveries, in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.session import runs_folder

if TYPE_CHECKING:
    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("show")(show)


def show(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]", help="A run's folder, or a protocol's name for its latest run. Default: the latest run."
        ),
    ] = None,
    runs: Annotated[Path | None, typer.Option("-o", "--runs", metavar="RUNS", help="The folder of runs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the leaderboard's record.")] = False,
) -> None:
    """Show a run's leaderboard, its scores after each step, and its recoveries."""
    from harness.cli.console import terminal
    from harness.cli.run_folder import find_run_folder

    folder = find_run_folder(run, runs_folder(runs))
    if as_json:
        from harness.leaderboard import Leaderboard

        typer.echo(Leaderboard.read(folder / "leaderboard.json").to_json(), nl=False)
        return
    print_leaderboard(folder, terminal())


def print_leaderboard(run_folder: Path, console: Console) -> None:
    """Prints the tables of a run and where its files lie. Raises UsageError where its leaderboard cannot be read."""
    from rich.text import Text

    from harness.cli.leaderboard_view import print_tables
    from harness.leaderboard import Leaderboard

    print_tables(Leaderboard.read(run_folder / "leaderboard.json"), console)
    files = ("leaderboard.json", "scores.parquet", "provenance.json", "events.jsonl")
    present = [name for name in files if (run_folder / name).is_file()]
    console.print(Text(f"\n{run_folder}: {', '.join(present)}"), soft_wrap=True)
