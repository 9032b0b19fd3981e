"""`harness predict`: which training will harm which domain, told before any of it, and held against what happened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.selection import ProtocolArgument, RunsOption, SeedsOption, seeds_from
from harness.cli.session import runs_folder, session_of

if TYPE_CHECKING:
    from harness.nodes import Plan
    from harness.prediction.matrix import PairPrediction
    from harness.prediction.observed import ObservedPair


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
        Path | None, typer.Option("--at", metavar="CHECKPOINT", help="A model folder in place of the base model.")
    ] = None,
    completions: Annotated[
        int, typer.Option("--completions", min=32, metavar="N", help="Sampled for each domain and seed.")
    ] = 1024,
    horizon: Annotated[
        int | None,
        typer.Option("--horizon", min=1, metavar="STEPS", help="Full steps that a training is worth. Default: 8."),
    ] = None,
    check: Annotated[
        str | None, typer.Option("--check", metavar="RUN", help="Hold it against a finished run: a folder or a name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Predict how much training each domain harms every other, and the order of domains that it advises.

    From gradients and curvature at the base model: nothing is trained. Damages are in percent of a standard deviation
    of the harmed domain's reward; positive is harm.
    """
    from harness.cli.console import terminal
    from harness.cli.prediction_view import prediction_to_json, print_prediction
    from harness.cli.run_folder import find_run_folder
    from harness.errors import UsageError
    from harness.plan import make_plan
    from harness.prediction.observed import observed_pairs
    from harness.prediction.order import advised_order
    from harness.prediction.paces import paces_of
    from harness.protocol import find_protocol, load_protocol

    registry = session_of(context).registry
    path = find_protocol(protocol, registry)
    plan = make_plan(load_protocol(path, registry, seeds=seeds_from(seeds)), registry)
    if len(plan.domains) < 2:
        raise UsageError("a prediction needs two domains or more", where=str(path))
    paces_of(plan)
    run = find_run_folder(check, runs_folder(runs)) if check is not None else None
    observed = [] if run is None else [pair for pair in observed_pairs(run) if _is_meant(pair, plan, at)]
    if run is not None and not observed:
        raise UsageError(
            "the run has no training of one domain from the base with a seed of this prediction",
            where=str(run),
            hint="--seeds chooses the seeds; --at CHECKPOINT predicts for trainings that start elsewhere",
        )
    from harness.prediction.work import PredictionWork

    work = PredictionWork(
        plan,
        registry,
        at=at,
        completions=completions,
        horizon=horizon,
        tell=lambda text: typer.echo(text, err=True),
    )
    predictions = work.predictions(keep=run is not None)
    pairs = [pair for prediction in predictions.values() for pair in prediction.pairs]
    order = advised_order(list(plan.domains), mean_damage(pairs))
    checked, agreed = work.check(predictions, observed, run) if run is not None else ([], [])
    if as_json:
        typer.echo(
            json.dumps(
                prediction_to_json(plan.protocol, predictions, order=order, checked=checked, agreed=agreed), indent=2
            )
        )
        return
    print_prediction(terminal(), plan.protocol, predictions, order=order, checked=checked, agreed=agreed)


def _is_meant(pair: ObservedPair, plan: Plan, at: Path | None) -> bool:
    """Returns whether the prediction speaks of what was observed: with --at, of a start other than the base too."""
    known = pair.trained in plan.domains and pair.harmed in plan.domains and pair.seed in plan.seeds
    return known and (at is not None or pair.from_base)


def mean_damage(pairs: Sequence[PairPrediction]) -> dict[tuple[str, str], float]:
    """Returns the mean predicted damage by (trained, harmed), over all seeds."""
    groups: dict[tuple[str, str], list[float]] = {}
    for pair in pairs:
        groups.setdefault((pair.trained, pair.harmed), []).append(pair.damage)
    return {key: sum(group) / len(group) for key, group in groups.items()}
