"""Options shared by commands: the protocol, its seeds and methods, and the folder of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness import Deltas
from harness.errors import UsageError

ProtocolArgument = Annotated[
    str, typer.Argument(metavar="PROTOCOL", help="A path, or the name of a packaged protocol.")
]
RunsOption = Annotated[Path | None, typer.Option("-o", "--runs", metavar="RUNS", help="The folder of runs and store.")]
SeedsOption = Annotated[
    str | None, typer.Option("--seeds", metavar="0,1,2", help="Seeds to use instead of the protocol's.")
]
MethodsOption = Annotated[str | None, typer.Option("--methods", metavar="A,B", help="Only these methods.")]
DeltasOption = Annotated[
    Deltas,
    typer.Option(
        "--delta-checkpoints",
        envvar="HARNESS_DELTA_CHECKPOINTS",
        help="Store a model as the difference from its parent: if that is smaller, never, or always.",
    ),
]
VerifyOption = Annotated[
    bool,
    typer.Option(
        "--verify/--no-verify",
        envvar="HARNESS_VERIFY",
        help="Check the sha256 of stored models before they are used. Score rows are always checked.",
    ),
]
ObserverOption = Annotated[
    list[str] | None,
    typer.Option(
        "--observer", metavar="NAME", help="Show the curves of the run there, such as tensorboard. Repeatable."
    ),
]


def seeds_from(text: str | None) -> tuple[int, ...] | None:
    """Parses comma-separated seeds; None for None. Raises UsageError for anything but non-negative integers."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    wrong = [word for word in words if not (word.isascii() and word.isdigit())]
    if wrong:
        raise UsageError(
            f"{wrong[0]!r} is not a seed", where="--seeds", hint="write non-negative integers, such as 0,1,2"
        )
    return tuple(int(word) for word in words)


def methods_from(text: str | None) -> tuple[str, ...] | None:
    """Parses comma-separated names, without duplicates; None for None."""
    if text is None:
        return None
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
