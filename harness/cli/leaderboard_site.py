"""`harness leaderboard site`: writes static pages of kept records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.session import session_of


def register(commands: typer.Typer) -> None:
    """Adds this command to `harness leaderboard`."""
    commands.command("site")(site)


def site(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder with kept records, also below it.")],
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write. An earlier site is replaced.")
    ] = Path("site"),
    published: Annotated[
        Path | None,
        typer.Option("--published", metavar="DIR", help="The folder of published results. Default: FOLDER/published."),
    ] = None,
    reports: Annotated[
        bool, typer.Option("--reports/--no-reports", help="Also write the report of each record, with its figures.")
    ] = True,
) -> None:
    """Write static pages of kept records: tables to search and sort, a page per method, and downloads. They work from
    a file and on any web server, and make no requests to other hosts."""
    from harness._util.disk import format_bytes
    from harness.api import build_site

    built = build_site(folder, output, published=published, reports=reports, registry=session_of(context).registry)
    counts = ((built.records, "record"), (built.boards, "table"))
    texts = [f"{count} {name}{'s' * (count != 1)}" for count, name in counts]
    typer.echo(f"{' in '.join(texts)}, {len(built.files)} files, {format_bytes(built.size)}")
    typer.echo(str(built.start))
