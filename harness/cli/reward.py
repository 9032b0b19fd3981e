"""`harness reward`: scores completions from a file, to test a reward or inspect its results."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.session import session_of
from harness.errors import UsageError


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
    from harness import RewardTally, score_file
    from harness.errors import ExitCode, StepFailed

    tally = RewardTally()
    for scored in score_file(
        name,
        file,
        config=config,
        settings=settings or (),
        columns=column_pairs(columns or ()),
        check=check,
        registry=session_of(context).registry,
    ):
        tally.add(scored)
        typer.echo(json.dumps(scored.as_json(), ensure_ascii=False))
    typer.echo(tally.describe(), err=True)
    if check:
        if tally.differing:
            raise typer.Exit(int(ExitCode.STEP_FAILED))
    elif tally.all_failed:
        raise StepFailed(
            f"no row could be scored, the first because: {tally.first_failure}",
            where=f"reward {name!r}",
            hint="the reward reads its columns from the row; --column NAME=COLUMN maps columns of other names",
        )


def column_pairs(given: Iterable[str]) -> dict[str, str]:
    """Parses `REWARD_COLUMN=FILE_COLUMN` options. Raises UsageError for any other form."""
    pairs = [text.partition("=") for text in given]
    for name, sign, column in pairs:
        if not (name and sign and column):
            raise UsageError(
                f"{name + sign + column!r} is not of the form NAME=COLUMN", where="--column", hint="as answer=reference"
            )
    return {name: column for name, _, column in pairs}
