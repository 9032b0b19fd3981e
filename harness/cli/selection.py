"""What a command is about: a protocol, some of its seeds and methods, and the folder of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.errors import UsageError
from harness.weights.storage_forms import Deltas

ProtocolArgument = Annotated[
    str, typer.Argument(metavar="PROTOCOL", help="A path, or the name of a packaged protocol.")
]
RunsOption = Annotated[Path | None, typer.Option("-o", "--runs", metavar="RUNS", help="The folder of runs and store.")]
SeedsOption = Annotated[
    str | None, typer.Option("--seeds", metavar="0,1,2", help="These seeds in place of the protocol's.")
]
MethodsOption = Annotated[str | None, typer.Option("--methods", metavar="A,B", help="Only these methods.")]
DeltasOption = Annotated[
    Deltas,
    typer.Option(
        "--delta-checkpoints",
        envvar="HARNESS_DELTA_CHECKPOINTS",
        help="Store a step's model as its difference from the one before: where that is smaller, never, or always.",
    ),
]
VerifyOption = Annotated[
    bool,
    typer.Option(
        "--verify/--no-verify",
        envvar="HARNESS_VERIFY",
        help="Compare stored models with their sha256 before they are read; the rows of scores always are.",
    ),
]


def seeds_from(text: str | None) -> tuple[int, ...] | None:
    """Returns the seeds of a list with commas, None for None. Raises UsageError for what is no whole number."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    wrong = [word for word in words if not (word.isascii() and word.isdigit())]
    if wrong:
        raise UsageError(
            f"{wrong[0]!r} is not a seed", where="--seeds", hint="write whole numbers from 0, such as 0,1,2"
        )
    return tuple(int(word) for word in words)


def methods_from(text: str | None) -> tuple[str, ...] | None:
    """Returns the names of a list with commas, in order and each once; None for None."""
    if text is None:
        return None
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
