"""`harness leaderboard`: exports tables, compares methods, and checks, rebuilds and archives records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import leaderboard_site
from harness.cli.session import session_of

if TYPE_CHECKING:
    from harness.api import Run

commands = typer.Typer(no_args_is_help=True, help="Export, compare, check, rebuild and archive leaderboards.")


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    leaderboard_site.register(commands)
    app.add_typer(commands, name="leaderboard")


@commands.command("export")
def export(
    context: typer.Context,
    *,
    run: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]…", help="Runs, folders or names. Default: the latest run.")
    ] = None,
    table_format: Annotated[
        str, typer.Option("-f", "--format", metavar="FORMAT", help="A table format, such as md, csv, latex or html.")
    ] = "md",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file instead of the terminal.")
    ] = None,
    with_published: Annotated[
        bool, typer.Option("--with-published", help="Add papers' results, in separate tables.")
    ] = False,
    published: Annotated[
        Path | None, typer.Option("--published", metavar="DIR", help="The folder of published results.")
    ] = None,
    allow_mixed: Annotated[
        bool, typer.Option("--allow-mixed", help="Mark rows that were measured differently instead of rejecting them.")
    ] = False,
    runs: Annotated[Path | None, typer.Option("--runs", metavar="RUNS", help="The folder of runs.")] = None,
) -> None:
    """Print the leaderboard of one or more runs in a table format."""
    from harness._util.files import write_text
    from harness.api import combine_runs, load_run, render_leaderboard

    registry = session_of(context).registry
    registry.find("table-format", table_format)
    found = [load_run(name, output=runs, finished=True) for name in run or (None,)]
    leaderboard = combine_runs(found, allow_mixed=allow_mixed, published=published or with_published)
    text = render_leaderboard(leaderboard, table_format, registry=registry)
    if output is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        write_text(output, text)
        typer.echo(f"{output}", err=True)


@commands.command("compare")
def compare(
    *,
    method: Annotated[str, typer.Argument(metavar="METHOD", help="A method of the run.")],
    other: Annotated[
        str, typer.Argument(metavar="OTHER", help="A method, several separated by commas, or `all` others.")
    ],
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run, folder or name. Default: the latest run.")
    ] = None,
    scores: Annotated[
        str,
        typer.Option("--scores", metavar="NAMES", help="Only these: `average`, `forgetting`, columns; with commas."),
    ] = "",
    runs: Annotated[Path | None, typer.Option("--runs", metavar="RUNS", help="The folder of runs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all differences as JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the differences as a Markdown table.")] = False,
) -> None:
    """Show by how much one method of a run is ahead of another, seed by seed, with the paired t test: in the average,
    the mean forgetting, and each column.

    With several others, the p-values are corrected over them by Holm's method, in each score on its own.
    """
    import json

    from harness._util.console import terminal
    from harness.api import load_run
    from harness.cli.differences_view import print_differences
    from harness.report.tables.differences import compared_scores, comparison_markdown

    found = load_run(run, output=runs, finished=True)
    differences = found.compare(method, _others(found, other))
    shown = compared_scores(found.record, differences, _listed(scores))
    if as_json:
        data = [one.model_dump(mode="json") for one in differences]
        typer.echo(json.dumps(data if len(data) > 1 else data[0], indent=2))
    elif markdown:
        typer.echo(comparison_markdown(found.record, differences, shown), nl=False)
    else:
        print_differences(found.record, differences, shown, terminal())


def _others(run: Run, named: str) -> list[str] | None:
    """Returns the methods that `named` lists, or None for `all`."""
    if any(row.method == named for row in run.record.rows):
        return [named]
    return None if named == "all" else _listed(named)


def _listed(text: str) -> list[str]:
    """Returns the names in a list with commas, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


@commands.command("validate")
def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A leaderboard.json, or the folder with it.")],
) -> None:
    """Check the schema of a record, and that its means, intervals, metrics, ranks and footnotes follow from its scores.
    Also checks probes.json in the same folder. Nothing is measured again."""
    from harness.api import check_leaderboard, check_probe_record

    file = file / "leaderboard.json" if file.is_dir() else file
    leaderboard = check_leaderboard(file)
    typer.echo(f"{file}: {len(leaderboard.rows)} rows, {len(leaderboard.columns)} columns, consistent")
    beside = file.with_name("probes.json")
    if beside.is_file():
        typer.echo(f"{beside}: {len(check_probe_record(beside).tables)} probes, consistent")


@commands.command("rebuild")
def rebuild(
    context: typer.Context,
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="Folders with a leaderboard.json.")],
) -> None:
    """Recompute intervals, metrics, ranks and rank groups from the scores in a record, for example one of an older
    version. Writes the record and the tables, probes and report in its folder."""
    from harness.api import rebuild_leaderboard

    registry = session_of(context).registry
    for folder in folders:
        for path in rebuild_leaderboard(folder, registry=registry):
            typer.echo(str(path))


@commands.command("add")
def add(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, or a protocol's name for its latest run.")],
    directory: Annotated[
        Path | None,
        typer.Option("-d", "--directory", metavar="DIR", help="The folder to write. Default: leaderboards/<protocol>."),
    ] = None,
    runs: Annotated[Path | None, typer.Option("--runs", metavar="RUNS", help="The folder of runs.")] = None,
    samples_limit: Annotated[
        float,
        typer.Option("--samples-limit", metavar="MB", min=0, help="Leave out a domain's samples above this size."),
    ] = 20.0,
) -> None:
    """Archive a run: its record, score table, provenance, probe results and prediction, with tables and a report
    generated from them, and the definitions and compressed samples that `verify` needs."""
    import json

    from harness.api import load_run

    found = load_run(run, output=runs, finished=True, registry=session_of(context).registry)
    for path in found.archive(directory, samples_limit_mb=samples_limit):
        typer.echo(str(path))
        if path.name == "manifest.json":
            for column, reason in json.loads(path.read_bytes())["left_out"].items():
                typer.echo(f"samples of {column} are left out: {reason}", err=True)


@commands.command("push")
def push(
    context: typer.Context,
    *,
    repository: Annotated[str, typer.Argument(metavar="ORG/NAME", help="A data set repository of the hub.")],
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[FOLDER]…", help="Records. Default: all below leaderboards/.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Create the repository as a private one.")] = False,
) -> None:
    """Push records to a data set repository of the Hugging Face Hub, with a card, as one commit. Records with a fault
    are refused."""
    from harness.api import push_records

    typer.echo(push_records(repository, folders or (), private=private, registry=session_of(context).registry))


@commands.command("verify")
def verify(
    context: typer.Context,
    *,
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="Folders with a leaderboard.json.")],
    complete: Annotated[bool, typer.Option("--complete", help="Also fail if something could not be checked.")] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="NEED", help="Permit executes-code or network, for records that you trust."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Check records from the samples up: score the stored answers again, without a model, and recompute means,
    intervals, ranks and keys. Prints a line for each fault, and what could not be checked. Exits with 1 if there is a
    fault."""
    import json

    from harness.api import verify_record

    found = [verify_record(folder, allow=allow or (), registry=session_of(context).registry) for folder in folders]
    if as_json:
        typer.echo(json.dumps([one.to_json() for one in found], indent=2))
    for one in () if as_json else found:
        typer.echo(f"{one.folder}: {'passed' if one.passed else f'{len(one.faults)} faults'}")
        for text in one.checked:
            typer.echo(f"  checked: {text}")
        for text in one.unchecked:
            typer.echo(f"  not checked: {text}")
        typer.echo(f"  taken as given: {'; '.join(one.given)}")
        for fault in one.faults:
            typer.echo(f"  fault: {fault}")
    if not all(one.complete if complete else one.passed for one in found):
        raise typer.Exit(1)
