"""`harness reward`: scores completions from a file, to test a reward or inspect its results."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.session import session_of

if TYPE_CHECKING:
    from harness.plugin.interfaces import Reward
    from harness.plugin.registry import Registry


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("reward")(reward)


def reward(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The reward's name, or distribution/name.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="A JSON-lines file; - reads standard input.")],
    *,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A key of the reward's config; VALUE is JSON or text; repeatable."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The reward's config, a YAML or JSON file.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="NAME=COLUMN", help="Read column NAME from the file's COLUMN; repeatable."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit code 1 if a result differs from the row's `expected`.")
    ] = False,
) -> None:
    """Score the rows of a JSON-lines file with a reward and print one JSON line per row.

    Each row is an object with `completion`, usually `prompt`, and the columns that the reward reads. A row may have
    `expected`: a number, null, or an outcome (ok, abstain, error, timeout, "not error").

    Exit code 1 if no row could be scored: all are errors or timeouts.
    """
    from harness.domains.reward_rows import Tally, column_pairs, read_rows, score_rows
    from harness.errors import ExitCode, StepFailed, UsageError

    session = session_of(context)
    built, label = _build(session.registry, name, config, settings or ())
    content, where = _content(file)
    rows = read_rows(content, where, column_pairs(columns or ()))
    if check and not any(row.compared for row in rows):
        raise UsageError("no row has a column `expected`, so there is nothing to check", where=where)
    tally = Tally()
    for scored in score_rows(built, rows, label):
        tally.add(scored)
        typer.echo(json.dumps(scored.as_json(), ensure_ascii=False))
    typer.echo(tally.describe(), err=True)
    if check:
        if tally.differing:
            raise typer.Exit(int(ExitCode.STEP_FAILED))
    elif tally.all_failed:
        raise StepFailed(
            f"no row could be scored, the first because: {tally.first_failure}",
            where=label,
            hint="the reward reads its columns from the row; --column NAME=COLUMN maps columns of other names",
        )


def _build(registry: Registry, name: str, config: Path | None, settings: Sequence[str]) -> tuple[Reward, str]:
    """Returns the reward and its label. Raises ProtocolError with all problems of the config.

    Rewards that execute code need no `allow` here: naming one on the command line is consent.
    """
    from harness.plugin.specs import NEEDS
    from harness.protocol import instance_of, resolve_plugin

    use = resolve_plugin(registry, "reward", name, file=config, settings=settings, allow=NEEDS)
    return instance_of(use, registry), f"reward {name!r}"


def _content(file: str) -> tuple[bytes, str]:
    """Returns the contents of the file, and its name for messages."""
    from harness.errors import UsageError

    if file == "-":
        return sys.stdin.buffer.read(), "standard input"
    try:
        return Path(file).expanduser().read_bytes(), file
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror or error}", where=file) from None
