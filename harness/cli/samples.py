"""`harness samples`: prints what a checkpoint answered, with targets and scores, beside another checkpoint."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from harness.api.samples import CheckpointSamples

MOST_SHOWN = 10
"""The number of samples that are printed without `--limit`."""


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("samples")(samples)


def samples(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's folder, or a protocol's name or file for its latest run.")
    ],
    method: Annotated[str, typer.Argument(metavar="METHOD", help="A method of the run, or `base`.")],
    *,
    step: Annotated[int, typer.Option("--step", metavar="N", help="0 is the base model. Default: the last.")] = -1,
    domain: Annotated[str | None, typer.Option("--domain", metavar="NAME", help="Default: all domains.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Default: the method's first seed.")] = None,
    wrong: Annotated[bool, typer.Option("--wrong", help="Only what is wrong.")] = False,
    right: Annotated[bool, typer.Option("--right", help="Only what is right.")] = False,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only what flipped between right and wrong, beside the step before.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="STEP|METHOD",
            help="Show the samples beside those of this step, this method, or a method's step as METHOD@STEP.",
        ),
    ] = None,
    item: Annotated[int | None, typer.Option("--item", metavar="N", help="Only this test item, in full.")] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=0, metavar="N", help="Show at most N samples, 0 for all. Default: 10; JSON: all."),
    ] = None,
    right_from: Annotated[
        float, typer.Option("--right-from", metavar="SCORE", help="The lowest score that is right.")
    ] = 0.5,
    runs: Annotated[Path | None, typer.Option("-o", "--runs", metavar="RUNS", help="The folder of runs.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the samples as JSON.")] = False,
) -> None:
    """Show what a checkpoint answered: prompt, completion, target and score of each test item.

    The first lines count what is wrong, and what flipped since the step before. `--changed --wrong` shows what flipped
    from right to wrong.
    """
    from harness._util.console import terminal
    from harness.api import load_run
    from harness.api.samples import checkpoint_samples
    from harness.cli.samples_view import print_samples

    if wrong and right:
        raise UsageError("--wrong and --right exclude each other", hint="without either, all samples are shown")
    found_run = load_run(run, output=runs)
    found = checkpoint_samples(
        found_run, method, step=step, domain=domain, seed=seed, against=against, right_from=right_from, beside=True
    )
    if changed and found.against is None:
        raise UsageError(
            "there is no step before the base model", hint="name a checkpoint to compare with: --against METHOD"
        )
    chosen = _chosen(found, wrong=wrong, right=right, changed=changed, item=item)
    beside = changed or against is not None
    most = limit if limit is not None else 0 if as_json or item is not None else MOST_SHOWN
    shown = chosen.head(most) if most else chosen
    if as_json:
        typer.echo(_json(str(found_run.folder), found, shown))
        return
    print_samples(
        found, shown, terminal(), beside=beside, whole=item is not None, left_out=chosen.height - shown.height
    )


def _chosen(found: CheckpointSamples, *, wrong: bool, right: bool, changed: bool, item: int | None) -> pl.DataFrame:
    """Returns the samples that the filters leave: with `changed`, those from right to wrong first."""
    import polars as pl

    from harness.results.flips import GAINED, LOST

    frame = found.frame
    if item is not None:
        frame = frame.filter(pl.col("item") == item)
        if frame.is_empty():
            raise UsageError(f"there is no test item {item}", hint="items are counted from 0 in each task")
    if wrong or right:
        frame = frame.filter(pl.col("right") == right)
    if changed:
        frame = frame.filter(pl.col("change").is_in([LOST, GAINED])).sort("change", maintain_order=True)
    return frame


def _json(folder: str, found: CheckpointSamples, shown: pl.DataFrame) -> str:
    data = {
        "run": folder,
        "checkpoint": asdict(found.checkpoint),
        "against": None if found.against is None else asdict(found.against),
        "counts": [asdict(one) for one in found.counts()],
        "samples": shown.to_dicts(),
    }
    return json.dumps(data, indent=2)
