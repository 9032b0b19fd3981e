"""`harness show`: prints the leaderboard of a run, its scores after each step and its recoveries, or its probe
results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.session import session_of

if TYPE_CHECKING:
    from rich.console import Console

    from harness.api import Run


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("show")(show)


def show(
    context: typer.Context,
    *,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="A run's folder, or a protocol's name or file for its latest run. Default: the latest run.",
        ),
    ] = None,
    runs: Annotated[Path | None, typer.Option("-o", "--runs", metavar="RUNS", help="The folder of runs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record behind the tables.")] = False,
    probes: Annotated[bool, typer.Option("--probes", help="Show the probe results, averaged over seeds.")] = False,
    probe: Annotated[
        list[str] | None, typer.Option("--probe", metavar="NAME", help="Show the results of this probe. Repeatable.")
    ] = None,
    curves: Annotated[
        bool, typer.Option("--curves", help="Show the scores by optimizer steps, of a protocol with `evaluate.every`.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the probe tables as Markdown.")] = False,
) -> None:
    """Show the leaderboard of a run, its scores after each step and its recoveries, or its probe results or curves."""
    from harness._util.console import terminal
    from harness.api import load_run
    from harness.errors import UsageError

    if probes or probe:
        found = load_run(run, output=runs, registry=session_of(context).registry)
        _show_probes(found, tuple(probe or ()), as_json=as_json, markdown=markdown)
        return
    if markdown:
        raise UsageError(
            "--markdown applies to probe tables: add --probes",
            hint="`harness leaderboard export -f md` prints a leaderboard as Markdown",
        )
    found = load_run(run, output=runs, finished=True)
    if curves:
        _show_curves(found, as_json=as_json)
        return
    if as_json:
        typer.echo(found.record.to_json(), nl=False)
        return
    print_leaderboard(found, terminal())


def _show_curves(run: Run, *, as_json: bool) -> None:
    from harness._util.console import terminal
    from harness.cli.probe_view import print_table
    from harness.report.tables.score_curves import curve_table

    record = run.score_curve_record
    if as_json:
        typer.echo(record.to_json(), nl=False)
    else:
        print_table(curve_table(record, run.record), terminal())


def _show_probes(run: Run, names: tuple[str, ...], *, as_json: bool, markdown: bool) -> None:
    from harness._util.console import terminal
    from harness.cli.probe_view import print_probes
    from harness.errors import UsageError
    from harness.report.tables.probes import probe_page

    record = run.probes
    if record is None:
        raise UsageError(
            "this run has no probe results",
            where=str(run.folder),
            hint="list probes under `probes:` in the protocol",
        )
    record = record.only(names)
    if as_json:
        typer.echo(record.to_json(), nl=False)
    elif markdown:
        typer.echo(probe_page(record), nl=False)
    else:
        print_probes(record, terminal())


def print_leaderboard(run: Run, console: Console) -> None:
    """Prints the tables of a run, its files, and the command that shows its samples. Raises UsageError if the
    leaderboard cannot be read."""
    from rich.text import Text

    from harness.cli.leaderboard_view import print_tables
    from harness.cli.next_commands import next_commands
    from harness.errors import HarnessError

    print_tables(run.record, console)
    files = ("leaderboard.json", "scores.parquet", "provenance.json")
    present = [name for name in files if (run.folder / name).is_file()]
    present += sorted(log.name for log in run.folder.glob("events*.jsonl"))  # one of each machine
    console.print(Text(f"\n{run.folder}: {', '.join(present)}"), soft_wrap=True)

    def nothing_right(method: str, domain: str) -> bool:
        try:
            return not run.samples(method, domain=domain)["right"].any()
        except HarnessError:  # what cannot be read is for `harness samples` to say
            return False

    for line in next_commands(run.record, run.folder, nothing_right) if run.has_samples else ():
        console.print(Text(line), soft_wrap=True)
