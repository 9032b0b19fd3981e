"""What `harness predict` said of the trainings of the run, against the damage that was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.prediction.check import AFTERWARDS, before_training
from harness.prediction.starts import BASE
from harness.report.figure import Absent, Figure
from harness.report.measured_damage import MeasuredDamage, measured_damages
from harness.report.record import RunRecord
from harness.report.scatter import Point, scatter_figure


def points_of(record: RunRecord) -> Iterator[Point]:
    """Yields what each predictor said of each pair that the run shows, once however many methods share the training.

    Pairs of a check are known by the checkpoint that the training made. A prediction that was held against no run is
    matched with the trainings that start from the base, by domain and seed.
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
    told = {(seed, pair.trained, pair.harmed): before_training(pair) for seed, pair in at_base}
    for one in happened.values():
        predicted = told.get((one.seed, one.trained[0], one.domain))
        if one.step == 1 and predicted is not None:
            yield from _points(one, predicted)


def _points(happened: MeasuredDamage, predicted: Mapping[str, float]) -> Iterator[Point]:
    [trained] = happened.trained
    for name, value in predicted.items():
        yield Point(
            kind=f"{name} (known afterwards)" if name in AFTERWARDS else name,
            seed=happened.seed,
            step=trained,
            place=f"{trained} ({happened.method}, step {happened.step})",
            domain=happened.domain,
            predicted=value,
            measured=happened.lost,
        )


def prediction(record: RunRecord) -> Figure | Absent:
    """Returns the figure; absent where no prediction is kept with the run, or it is of other trainings."""
    name, title = "prediction", "Prediction before training"
    points = list(points_of(record))
    if not points:
        reason = (
            "No prediction stands beside this run: `harness predict PROTOCOL --check RUN` makes one and keeps it in "
            "the run's folder."
            if record.prediction is None
            else "The prediction that was given is of none of this run's trainings of one domain."
        )
        return Absent(name=name, title=title, reason=reason)
    return scatter_figure(
        points,
        name=name,
        title=title,
        about=(
            "A point a training of one domain and another domain that it was not on: across, what harness predict "
            "said before the training, damage in percent of a standard deviation of the harmed domain's reward; up, "
            "the points that this domain lost, negative where it gained."
        ),
        columns=("Predictor", "Training", "Seed", "Harmed", "Predicted", "Measured"),
    )
