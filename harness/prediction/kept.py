"""A prediction as JSON, and read back: what `harness predict` prints and keeps, and `harness report` draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.errors import UsageError
from harness.prediction.agreement import Agreement
from harness.prediction.check import CheckedPair
from harness.prediction.matrix import Prediction
from harness.prediction.observed import ObservedPair

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class KeptPrediction:
    """predictions: one a start and seed. order: the advised one, empty where not every pair was predicted. checked,
    agreed: the pairs that a run showed, and how well each predictor ordered them; empty without a run."""

    protocol: str
    order: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    checked: tuple[CheckedPair, ...] = ()
    agreed: tuple[Agreement, ...] = ()


def prediction_to_json(
    protocol: str,
    predictions: Sequence[Prediction],
    *,
    order: Sequence[str],
    checked: Sequence[CheckedPair],
    agreed: Sequence[Agreement],
) -> dict[str, Any]:
    """Returns all of it as JSON data; without a check, `check` is null, without an advised order, `order` is empty."""
    return {
        "schema": SCHEMA,
        "protocol": protocol,
        "order": list(order),
        "predictions": [asdict(prediction) for prediction in predictions],
        "check": {
            "pairs": [{**asdict(one.pair), "predicted": dict(one.predicted)} for one in checked],
            "agreement": [asdict(one) for one in agreed],
        }
        if checked
        else None,
    }


def read_prediction(path: Path) -> KeptPrediction:
    """Returns the prediction in a file that `prediction_to_json` was written to.

    Raises UsageError where it cannot be read, or holds none.
    """
    try:
        data = TypeAdapter(dict[str, Any]).validate_json(path.read_bytes())
        if data.get("schema") != SCHEMA:
            raise UsageError(
                f"this is no prediction of schema {SCHEMA}",
                where=str(path),
                hint="`harness predict PROTOCOL --json` prints one",
            )
        check = data["check"] or {"pairs": [], "agreement": []}
        return KeptPrediction(
            protocol=TypeAdapter(str).validate_python(data["protocol"]),
            order=TypeAdapter(tuple[str, ...]).validate_python(data["order"]),
            predictions=TypeAdapter(tuple[Prediction, ...]).validate_python(data["predictions"]),
            checked=tuple(
                CheckedPair(
                    pair=TypeAdapter(ObservedPair).validate_python(pair),
                    predicted=TypeAdapter(dict[str, float]).validate_python(pair["predicted"]),
                )
                for pair in check["pairs"]
            ),
            agreed=TypeAdapter(tuple[Agreement, ...]).validate_python(check["agreement"]),
        )
    except OSError as error:
        raise UsageError(f"this prediction cannot be read: {error.strerror}", where=str(path)) from error
    except (ValidationError, KeyError, TypeError) as error:
        fault = error.errors()[0]["msg"] if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
        raise UsageError(
            f"this is no prediction: {fault}", where=str(path), hint="`harness predict PROTOCOL --json` prints one"
        ) from error
