"""The JSON format of a prediction, which `harness predict` writes and `harness report` reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.errors import UsageError
from harness.prediction.agreement import Agreement
from harness.prediction.check import CheckedPair
from harness.prediction.matrix import Prediction
from harness.prediction.observed import ObservedPair
from harness.prediction.predictors import Effort

SCHEMA = 2


@dataclass(frozen=True, kw_only=True)
class PredictionRecord:
    """The predictions of a protocol.

    predictions: one per start and seed. order: the advised order, empty unless all pairs were predicted. checked,
    agreed: the pairs observed in a run and the agreement of each predictor, empty without a run. fitted: the seeds that
    fitted predictors are fitted to. If there are any, `agreed` is over the pairs of the other seeds.
    """

    protocol: str
    order: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    checked: tuple[CheckedPair, ...] = ()
    agreed: tuple[Agreement, ...] = ()
    fitted: tuple[int, ...] = ()

    def to_json(self) -> str:
        """Returns the record as JSON text. `check` is null without a check, `order` is empty if not advised."""
        check = {
            "pairs": [
                {**asdict(one.pair), "predicted": dict(one.predicted), "effort": asdict(one.effort)}
                for one in self.checked
            ],
            "agreement": [asdict(one) for one in self.agreed],
            "fitted": list(self.fitted),
        }
        data = {
            "schema": SCHEMA,
            "protocol": self.protocol,
            "order": list(self.order),
            "predictions": [asdict(prediction) for prediction in self.predictions],
            "check": check if self.checked else None,
        }
        return json.dumps(data, indent=2) + "\n"


def read_prediction(path: Path) -> PredictionRecord:
    """Returns the prediction in a file with the output of `PredictionRecord.to_json`.

    Raises UsageError if the file cannot be read or does not contain a prediction.
    """
    try:
        data = TypeAdapter(dict[str, Any]).validate_json(path.read_bytes())
        if data.get("schema") != SCHEMA:
            raise UsageError(
                f"this is not a prediction of schema {SCHEMA}",
                where=str(path),
                hint="`harness predict PROTOCOL --json` prints one",
            )
        check = data["check"] or {"pairs": [], "agreement": [], "fitted": []}
        return PredictionRecord(
            protocol=TypeAdapter(str).validate_python(data["protocol"]),
            order=TypeAdapter(tuple[str, ...]).validate_python(data["order"]),
            predictions=TypeAdapter(tuple[Prediction, ...]).validate_python(data["predictions"]),
            checked=tuple(
                CheckedPair(
                    pair=TypeAdapter(ObservedPair).validate_python(pair),
                    predicted=TypeAdapter(dict[str, float]).validate_python(pair["predicted"]),
                    effort=TypeAdapter(Effort).validate_python(pair["effort"]),
                )
                for pair in check["pairs"]
            ),
            agreed=TypeAdapter(tuple[Agreement, ...]).validate_python(check["agreement"]),
            fitted=TypeAdapter(tuple[int, ...]).validate_python(check.get("fitted", ())),
        )
    except OSError as error:
        raise UsageError(f"this prediction cannot be read: {error.strerror}", where=str(path)) from error
    except (ValidationError, KeyError, TypeError) as error:
        fault = error.errors()[0]["msg"] if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
        raise UsageError(
            f"this is not a prediction: {fault}", where=str(path), hint="`harness predict PROTOCOL --json` prints one"
        ) from error
