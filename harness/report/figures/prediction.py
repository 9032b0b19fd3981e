"""Predictions of `harness predict` compared with the damage measured in the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.prediction.predictors import before_training, described
from harness.prediction.starts import BASE
from harness.report.figure import Absent, Figure
from harness.report.measured_damage import MeasuredDamage, measured_damages
from harness.report.record import RunRecord
from harness.report.scatter import Point, scatter_figure

NO_PREDICTION = (
    "This run has no prediction. `harness predict PROTOCOL --check RUN` computes one and writes it to the run's folder."
)


def points_of(record: RunRecord) -> Iterator[Point]:
    """Yields each predictor's value for each pair in the run, once per training even if several methods share it.

    Pairs of a checked prediction are matched by the checkpoint after the training. A prediction without a check is
    matched by domain and seed with the trainings that start from the base model.
    """
    happened: dict[tuple[int, str, str], MeasuredDamage] = {}
    for one in measured_damages(record):
        if len(one.trained) == 1 and one.trained[0] != one.domain:
            happened.setdefault((one.seed, one.checkpoint, one.domain), one)
    kept = record.prediction
    if kept is None:
        return
    for checked in kept.checked:
        pair = checked.pair
        if (known := happened.get((pair.seed, pair.after, pair.harmed))) is not None:
            yield from _points(known, checked.predicted)
    if kept.checked:
        return
    at_base = [(one.seed, pair) for one in kept.predictions if one.checkpoint == BASE for pair in one.pairs]
    by_pair = {(seed, pair.trained, pair.harmed): before_training(pair) for seed, pair in at_base}
    for one in happened.values():
        predicted = by_pair.get((one.seed, one.trained[0], one.domain))
        if one.step == 1 and predicted is not None:
            yield from _points(one, predicted)


def _points(happened: MeasuredDamage, predicted: Mapping[str, float]) -> Iterator[Point]:
    [trained] = happened.trained
    for name, value in predicted.items():
        yield Point(
            kind=described(name),
            seed=happened.seed,
            step=trained,
            place=f"{trained} ({happened.method}, step {happened.step})",
            domain=happened.domain,
            predicted=value,
            measured=happened.lost,
        )


def prediction(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent if the run has no prediction, or only predictions of other trainings."""
    name, title = "prediction", "Prediction before training"
    points = list(points_of(record))
    if not points:
        reason = (
            NO_PREDICTION
            if record.prediction is None
            else "The given prediction does not match any training on a single domain in this run."
        )
        return Absent(name=name, title=title, reason=reason)
    return scatter_figure(
        points,
        name=name,
        title=title,
        about=(
            "One point per training on a single domain and per other domain. Horizontal: the damage that harness "
            "predict predicted before the training, in percent of a standard deviation of the harmed domain's reward. "
            "Vertical: the points that the harmed domain lost; negative values are gains."
        ),
        columns=("Predictor", "Training", "Seed", "Harmed", "Predicted", "Measured"),
    )
