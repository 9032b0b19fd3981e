"""`harness report`: writes a run as a self-contained HTML page, and its figures as SVG and PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.api.protocols import runs_folder
from harness.cli.session import session_of

if TYPE_CHECKING:
    from harness.plugin.registry import Registry
    from harness.results.probe_tables import ProbeRecord


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

    require_extra("report", "altair", "vl_convert", wanted_by="harness report")
    from harness._util.files import write_together
    from harness.api.find_run import find_begun_folder
    from harness.execution.run_folder import REPORT
    from harness.report.drawing import UndrawnError, rasterize
    from harness.report.page import make_report
    from harness.report.reading import read_run

    folder = find_begun_folder(run, runs_folder(runs))
    record = read_run(folder, prediction)
    made = make_report(record, _probes(folder, session_of(context).registry))
    path = output or folder / REPORT
    files = {path: made.html.encode()}
    undrawn = dict(made.undrawn)
    if figures is not None:
        for name, svg in made.drawings.items():
            files[figures / f"{name}.svg"] = svg.encode()
            try:
                files[figures / f"{name}.png"] = rasterize(svg)
            except UndrawnError as error:
                undrawn[f"{name}.png"] = str(error)
    write_together(files)
    for title, reason in undrawn.items():
        typer.echo(f"not drawn: {title}: {reason}", err=True)
    for written in files:
        typer.echo(str(written))


def _probes(folder: Path, registry: Registry) -> ProbeRecord | None:
    """Returns the probe results; None if there are none or they cannot be read, which the page mentions."""
    from harness.api.run_probes import read_probes
    from harness.errors import UsageError

    try:
        return read_probes(folder, registry)
    except UsageError:
        return None
