"""`harness prefetch`: downloads everything that a run needs, so that it works offline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.selection import ProtocolArgument
from harness.cli.session import session_of

if TYPE_CHECKING:
    from harness import Fetched


SHOWN_ROWS = 5


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("prefetch")(prefetch)


def prefetch(
    context: typer.Context,
    protocol: ProtocolArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Download the model, data and tasks that a run needs; it then works with HARNESS_OFFLINE=1.

    Also reports training rows that the reward cannot score, and how many test items share 13 consecutive words with a
    training problem.
    """
    from harness import api

    def show(part: Fetched) -> None:
        for line in (_line(part), *_pins(part), *_rows(part)):
            typer.echo(line)

    fetched = api.prefetch(
        protocol,
        starting=lambda name: typer.echo(f"{name} …", err=True),
        finished=None if as_json else show,
        registry=session_of(context).registry,
    )
    if as_json:
        typer.echo(json.dumps([asdict(part) for part in fetched], indent=2))


def _pins(part: Fetched) -> Iterator[str]:
    """Yields, for each branch or tag, the line that pins it to a commit."""
    for found in part.commits:
        if found.revision != found.commit:
            yield f"  {found.name} at {found.revision or 'main'} is now this commit; to pin it:"
            yield f"    revision: {found.commit}"


def _rows(part: Fetched) -> Iterator[str]:
    """Yields the first training rows that the reward cannot score, and the number of others."""
    for row in part.unjudgeable[:SHOWN_ROWS]:
        yield f"  {row.row}: {row.reason}"
    if len(part.unjudgeable) > SHOWN_ROWS:
        yield f"  and {len(part.unjudgeable) - SHOWN_ROWS:,} more"


def _line(part: Fetched) -> str:
    line = f"{part.part}: {part.detail}"
    if part.unjudgeable:
        return f"{line}; {len(part.unjudgeable):,} training rows cannot be judged and are left out:"
    if part.overlap is None:
        return line
    shared = f"{part.overlap.overlapping} test items ({part.overlap.share:.1%})"
    return f"{line}; {shared} share 13 words with a training problem"
