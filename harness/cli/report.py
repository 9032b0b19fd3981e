"""`harness report`: writes a run as a self-contained HTML page, and its figures as SVG and PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.session import session_of


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("report")(report)


def report(
    context: typer.Context,
    *,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Folder of a run or archive, or a protocol's name for its latest run. Default: the latest.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The page. Default: report.html in the run.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Also write the figures here, as SVG and PNG.")
    ] = None,
    prediction: Annotated[
        Path | None,
        typer.Option(
            "--prediction", metavar="FILE", help="Output of `harness predict --json`. Default: the one in the run."
        ),
    ] = None,
    runs: Annotated[Path | None, typer.Option("--runs", metavar="RUNS", help="The folder of runs.")] = None,
) -> None:
    """Write the report of a run: one HTML file with figures and tables, which works offline."""
    from harness._util.extras import require_extra
    from harness.api import load_run

    if figures is not None:  # before the run is looked for
        require_extra("report", "altair", "vl_convert", wanted_by="harness report --figures")
    found = load_run(run, output=runs, registry=session_of(context).registry)
    written = found.write_report(output, figures=figures, prediction=prediction)
    for title, reason in written.undrawn.items():
        typer.echo(f"not drawn: {title}: {reason}", err=True)
    for file in written.files:
        typer.echo(str(file))
