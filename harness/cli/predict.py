"""`harness predict`: predicts which training harms which domain, and compares predictions with finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.selection import ProtocolArgument, RunsOption, SeedsOption, seeds_from
from harness.cli.session import session_of
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness import PredictionRecord, Run


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("predict")(predict)


def predict(
    context: typer.Context,
    protocol: ProtocolArgument,
    *,
    runs: RunsOption = None,
    seeds: SeedsOption = None,
    at: Annotated[
        Path | None, typer.Option("--at", metavar="CHECKPOINT", help="A model folder instead of the base.")
    ] = None,
    along: Annotated[
        list[str] | None,
        typer.Option(
            "--along",
            metavar="METHOD",
            help="Predict before each training of this method of --check's run. May be given several times.",
        ),
    ] = None,
    completions: Annotated[
        int, typer.Option("--completions", min=32, metavar="N", help="Completions sampled per domain and seed.")
    ] = 1024,
    horizon: Annotated[
        int | None,
        typer.Option(
            "--horizon", min=1, metavar="STEPS", help="Length of a training, in full optimizer steps. Default: 8."
        ),
    ] = None,
    check: Annotated[
        list[str] | None,
        typer.Option(
            "--check", metavar="RUN", help="Compare it with a run: a folder or a name. May be given several times."
        ),
    ] = None,
    pilot: Annotated[
        int,
        typer.Option(
            "--pilot",
            min=0,
            metavar="STEPS",
            help="Train the first STEPS of each training of --check's run again, as one more predictor.",
        ),
    ] = 0,
    fit: Annotated[
        str | None,
        typer.Option(
            "--fit",
            metavar="0,1,2",
            help="Seeds that predictors are fitted to; the others decide. Default: the first half of four or more.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the comparison with --check's run as a Markdown table.")
    ] = False,
) -> None:
    """Predict how much training on each domain harms the others, and advise an order of the domains.

    The prediction uses gradients and curvature at the base model; nothing is trained. Damage is in percent of a
    standard deviation of the harmed domain's reward; positive values are harm.
    """
    from harness import api
    from harness._util.console import terminal
    from harness.cli.prediction_view import print_prediction
    from harness.report.tables.agreement import agreement_markdown

    if markdown and not check:
        raise UsageError("--markdown needs the run to compare with", where="--markdown", hint="give --check RUN")
    registry = session_of(context).registry
    checked = [api.load_run(name, output=runs, registry=registry) for name in check or ()]
    record = api.predict(
        protocol,
        seeds=seeds_from(seeds),
        at=at,
        along=along or (),
        completions=completions,
        horizon=horizon,
        check=checked,
        pilot=pilot,
        fit=seeds_from(fit),
        progress=lambda text: typer.echo(text, err=True),
        registry=registry,
    )
    if as_json:
        typer.echo(record.to_json(), nl=False)
    elif markdown:
        typer.echo(agreement_markdown(record), nl=False)
    else:
        print_prediction(terminal(), record)
    for run in checked:
        _save(record, run)


def _save(record: PredictionRecord, run: Run) -> None:
    """Writes the prediction to the run folder. It has been printed, so missing write access is not an error."""
    try:
        path = run.save_prediction(record)
    except OSError as error:
        typer.echo(f"not written to {run.folder / 'prediction.json'}: {error.strerror}", err=True)
    else:
        typer.echo(f"written to {path}, for `harness report`", err=True)
