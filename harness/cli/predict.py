"""`harness predict`: predicts which training harms which domain, and compares predictions with finished runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.api.protocols import runs_folder
from harness.cli.selection import ProtocolArgument, RunsOption, SeedsOption, seeds_from
from harness.cli.session import session_of
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.prediction.matrix import PairPrediction


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
        str | None,
        typer.Option("--along", metavar="METHOD", help="Predict before each training of this method of --check's run."),
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
        str | None, typer.Option("--check", metavar="RUN", help="Compare it with a finished run: a folder or a name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Predict how much training on each domain harms the others, and advise an order of the domains.

    The prediction uses gradients and curvature at the base model; nothing is trained. Damage is in percent of a
    standard deviation of the harmed domain's reward; positive values are harm.
    """
    from harness._util.console import terminal
    from harness.api.find_run import find_run_folder
    from harness.cli.prediction_view import print_prediction
    from harness.planning.planner import make_plan
    from harness.prediction.kept import prediction_to_json
    from harness.prediction.order import advised_order
    from harness.prediction.paces import paces_of
    from harness.protocol import find_protocol, load_protocol

    registry = session_of(context).registry
    path = find_protocol(protocol, registry)
    plan = make_plan(load_protocol(path, registry, seeds=seeds_from(seeds)), registry)
    if len(plan.domains) < 2:
        raise UsageError("a prediction needs two domains or more", where=str(path))
    paces_of(plan)
    _one_place(at, along, check)
    run = find_run_folder(check, runs_folder(runs)) if check is not None else None
    from harness.prediction.work import PredictionWork

    work = PredictionWork(
        plan,
        registry,
        run=run,
        completions=completions,
        horizon=horizon,
        tell=lambda text: typer.echo(text, err=True),
    )
    context.call_on_close(work.close)
    starts = work.starts(at=at, along=along)
    observed = work.observed(starts)
    predicted = work.predictions(starts)
    predictions = list(predicted.values())
    order: tuple[str, ...] = ()
    if along is None:
        order = advised_order(list(plan.domains), mean_damage([pair for one in predictions for pair in one.pairs]))
    checked, agreed = work.check(predicted, observed) if run is not None else ([], [])
    told = prediction_to_json(plan.protocol, predictions, order=order, checked=checked, agreed=agreed)
    text = json.dumps(told, indent=2) + "\n"
    if as_json:
        typer.echo(text, nl=False)
    else:
        print_prediction(terminal(), plan.protocol, predictions, order=order, checked=checked, agreed=agreed)
    if run is not None:
        _keep(text, run)


def _keep(text: str, run: Path) -> None:
    """Writes the prediction to the run folder. It has been printed, so missing write access is not an error."""
    from harness._util.files import write_text
    from harness.execution.run_folder import PREDICTION

    try:
        write_text(run / PREDICTION, text)
    except OSError as error:
        typer.echo(f"not written to {run / PREDICTION}: {error.strerror}", err=True)
    else:
        typer.echo(f"written to {run / PREDICTION}, for `harness report`", err=True)


def _one_place(at: Path | None, along: str | None, check: str | None) -> None:
    if along is not None and at is not None:
        raise UsageError("--at and --along exclude each other", hint="give only one of them")
    if along is not None and check is None:
        raise UsageError("--along needs the run of the method", where="--along", hint="give it with --check RUN")


def mean_damage(pairs: Sequence[PairPrediction]) -> dict[tuple[str, str], float]:
    """Returns the mean predicted damage by (trained, harmed), over all seeds."""
    groups: dict[tuple[str, str], list[float]] = {}
    for pair in pairs:
        groups.setdefault((pair.trained, pair.harmed), []).append(pair.damage)
    return {key: sum(group) / len(group) for key, group in groups.items()}
