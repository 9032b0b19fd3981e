"""Predicts which training harms which domain, and compares predictions with finished runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.protocols import ProtocolName, installed_plugins, read_protocol
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.api.runs import Run
    from harness.plugin.registry import Registry
    from harness.prediction.check import CheckedPair
    from harness.prediction.kept import PredictionRecord
    from harness.prediction.matrix import Prediction


def predict(
    protocol: ProtocolName,
    *,
    seeds: Sequence[int] | None = None,
    at: str | Path | None = None,
    along: str | Sequence[str] = (),
    completions: int = 1024,
    horizon: int | None = None,
    check: Run | Sequence[Run] = (),
    pilot: int = 0,
    fit: Sequence[int] | None = None,
    progress: Callable[[str], None] | None = None,
    registry: Registry | None = None,
) -> PredictionRecord:
    """Returns how much training on each domain is predicted to harm the others, and an advised order of the domains.

    The prediction uses gradients and curvature at the base model; nothing is trained. Damage is in percent of a
    standard deviation of the harmed domain's reward; positive values are harm. protocol: a path, or the name of a
    packaged protocol. seeds: replaces the protocol's seeds. at: a model folder instead of the base model. along:
    predict before each training of these methods of `check`. completions: sampled per domain and seed. horizon: the
    length of a training, in full optimizer steps; default: 8. check: runs to compare the prediction with, finished or
    not. pilot: how many optimizer steps of each training of `check` are trained again, as one more predictor; 0 for
    none. fit: the seeds that predictors are fitted to; the others decide. Default: the first half of at least four
    seeds. progress: called with messages. registry: the plugins to use; default: all installed ones.

    Raises ProtocolError for a protocol that is not valid, UsageError if it cannot be predicted or a run has no training
    that fits, CheckpointError if a model is not complete, StepFailed if the store of a run lacks one.
    """
    from harness._util.environment import prepare_libraries
    from harness.planning.planner import make_plan
    from harness.prediction.kept import PredictionRecord
    from harness.prediction.order import advised_order, mean_damage
    from harness.prediction.paces import paces_of

    prepare_libraries()
    plugins = installed_plugins(registry)
    read = read_protocol(protocol, plugins, seeds=seeds)
    plan = make_plan(read, plugins)
    if len(plan.domains) < 2:
        raise UsageError("a prediction needs two domains or more", where=str(read.path))
    paces_of(plan)
    methods = (along,) if isinstance(along, str) else tuple(along)
    runs = tuple(check) if isinstance(check, Sequence) else (check,)
    _check_place(at, methods, runs, pilot)
    from harness.prediction.check import agreed
    from harness.prediction.fitted import fitted_seeds, with_fitted
    from harness.prediction.work import PredictionWork, Settings

    settings = Settings(completions=completions, horizon=horizon, pilot=pilot)
    tell = progress or (lambda text: None)
    predictions: list[Prediction] = []
    checked: list[CheckedPair] = []
    with ExitStack() as opened:
        folders = [run.folder for run in runs] if runs else [None]
        works = [
            opened.enter_context(closing(PredictionWork(plan, plugins, settings, run=folder, tell=tell)))
            for folder in folders
        ]
        _check_methods(methods, [work.methods for work in works])
        begun, seen = [], set()
        for work in works:
            own = [name for name in methods if name in work.methods]
            if own or not methods:
                starts = work.starts(at=None if at is None else Path(at), along=own)
                for start, found in work.observed(starts).items():
                    new = [pair for pair in found if (pair.after, pair.harmed) not in seen]  # runs may share trainings
                    seen |= {(pair.after, pair.harmed) for pair in new}
                    if new or not found:
                        begun.append((work, start, new))
        fitted = fitted_seeds(fit, [pair.seed for _, _, pairs in begun for pair in pairs])
        for work, start, pairs in begun:
            prediction, compared = work.measured(start, pairs)
            predictions.append(prediction)
            checked += compared
    held_out = with_fitted(checked, fitted) if fitted else checked
    return PredictionRecord(
        protocol=plan.protocol,
        order=()
        if methods
        else advised_order(list(plan.domains), mean_damage([pair for one in predictions for pair in one.pairs])),
        predictions=tuple(predictions),
        checked=(*(one for one in checked if one.pair.seed in fitted), *held_out),
        agreed=tuple(agreed(held_out)) if held_out else (),
        fitted=fitted,
    )


def _check_place(at: str | Path | None, along: Sequence[str], check: Sequence[Run], pilot: int) -> None:
    if along and at is not None:
        raise UsageError("--at and --along exclude each other", hint="give only one of them")
    if along and not check:
        raise UsageError("--along needs the run of the method", where="--along", hint="give it with --check RUN")
    if pilot and not check:
        raise UsageError("--pilot needs the run whose trainings it begins", where="--pilot", hint="give --check RUN")


def _check_methods(along: Sequence[str], methods: Sequence[Sequence[str]]) -> None:
    known = dict.fromkeys(name for own in methods for name in own)
    for name in along:
        if name not in known:
            raise UsageError(
                f"the run has no method {name!r}", where="--along", hint=f"its methods are {', '.join(known)}"
            )
