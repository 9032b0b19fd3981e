"""What was measured at a start, kept in the store of the run: an interrupted comparison goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from harness._util.content_key import content_key
from harness.execution.json_data import write_json
from harness.plugin.source_digest import digest_of
from harness.prediction.matrix import Prediction

if TYPE_CHECKING:
    from harness.execution.store import Store

FILE = "measured.json"
_MEASURES = ("domain_measure.py", "pilots.py", "updates.py", "vectors.py", "virtual_step.py", "work.py")
"""The modules that decide what is measured. The keys of results cover none of them."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The prediction at a start, and the values of all predictors by the checkpoint after a training and by domain."""

    prediction: Prediction
    values: Mapping[str, Mapping[str, Mapping[str, float]]]


def stored(store: Store, make: Callable[[], Measured], **depends_on: Any) -> Measured:
    """Returns what `make` returns, from the store if it is there. depends_on: all that it depends on, as JSON data,
    except the code. Raises StoreFull and StoreForbidden if it cannot be written."""
    definition = {"kind": "shared", "name": "prediction", "code": _code(), **depends_on}
    key = content_key(**definition)
    with store.lock(key):
        if not store.has(key):
            with store.writing(key, {"definition": definition}) as folder:
                write_json(folder / FILE, asdict(make()))
        return TypeAdapter(Measured).validate_python(store.read_json(key, FILE))


@cache
def _code() -> str:
    return digest_of({name: Path(__file__).with_name(name) for name in _MEASURES})
