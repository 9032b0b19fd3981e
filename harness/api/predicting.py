"""Predicts which training harms which domain, and compares predictions with finished runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.protocols import ProtocolName, installed_plugins, read_protocol
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.api.runs import Run
    from harness.plugin.registry import Registry
    from harness.prediction.kept import PredictionRecord


def predict(
    protocol: ProtocolName,
    *,
    seeds: Sequence[int] | None = None,
    at: str | Path | None = None,
    along: str | None = None,
    completions: int = 1024,
    horizon: int | None = None,
    check: Run | None = None,
    pilot: int = 0,
    progress: Callable[[str], None] | None = None,
    registry: Registry | None = None,
) -> PredictionRecord:
    """Returns how much training on each domain is predicted to harm the others, and an advised order of the domains.

    The prediction uses gradients and curvature at the base model; nothing is trained. Damage is in percent of a
    standard deviation of the harmed domain's reward; positive values are harm. protocol: a path, or the name of a
    packaged protocol. seeds: replaces the protocol's seeds. at: a model folder instead of the base model. along:
    predict before each training of this method of `check`. completions: sampled per domain and seed. horizon: the
    length of a training, in full optimizer steps; default: 8. check: a finished run to compare the prediction with.
    pilot: how many optimizer steps of each training of `check` are trained again, as one more predictor; 0 for none.
    progress: called with messages. registry: the plugins to use; default: all installed ones.

    Raises ProtocolError for a protocol that is not valid, UsageError if it cannot be predicted or the run has no
    training that fits, CheckpointError if a model is not complete, StepFailed if the store of the run lacks one.
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
    _check_place(at, along, check, pilot)
    from harness.prediction.check import agreed
    from harness.prediction.work import PredictionWork, Settings

    work = PredictionWork(
        plan,
        plugins,
        Settings(completions=completions, horizon=horizon, pilot=pilot),
        run=None if check is None else check.folder,
        tell=progress or (lambda text: None),
    )
    with closing(work):
        starts = work.starts(at=None if at is None else Path(at), along=along)
        measured = [work.measured(start, pairs) for start, pairs in work.observed(starts).items()]
    checked = [pair for _, pairs in measured for pair in pairs]
    pairs = [pair for one, _ in measured for pair in one.pairs]
    return PredictionRecord(
        protocol=plan.protocol,
        order=advised_order(list(plan.domains), mean_damage(pairs)) if along is None else (),
        predictions=tuple(one for one, _ in measured),
        checked=tuple(checked),
        agreed=tuple(agreed(checked)) if checked else (),
    )


def _check_place(at: str | Path | None, along: str | None, check: Run | None, pilot: int) -> None:
    if along is not None and at is not None:
        raise UsageError("--at and --along exclude each other", hint="give only one of them")
    if along is not None and check is None:
        raise UsageError("--along needs the run of the method", where="--along", hint="give it with --check RUN")
    if pilot and check is None:
        raise UsageError("--pilot needs the run whose trainings it begins", where="--pilot", hint="give --check RUN")
