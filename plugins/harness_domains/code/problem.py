"""The tests of a problem, stored as one JSON column of training rows and test items."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.domains import parse_json


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The tests of one problem.

    prefix, suffix: code before the program, such as the signature that a plain completion continues, and after it.
    source: Python code with the assertions. entry_point: the function to pass to the `check` of `source`, as in
    HumanEval. stdin: pairs of standard input and expected standard output.
    """

    prefix: str = ""
    suffix: str = ""
    source: str = ""
    entry_point: str | None = None
    stdin: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: Any) -> Problem:
        """Returns the problem of a column's JSON text or object. Raises ValueError if it is neither."""
        if not isinstance(text, str | Mapping):
            raise ValueError(f"the tests are {text!r:.40}, neither JSON text nor an object")
        data = parse_json(text) if isinstance(text, str) else dict(text)
        if not isinstance(data, dict) or not set(data) <= set(cls.__dataclass_fields__):
            raise ValueError(f"the tests are not an object with {', '.join(cls.__dataclass_fields__)}: {data!r:.60}")
        pairs = tuple((str(given), str(expected)) for given, expected in data.get("stdin", ()))
        return cls(**{**data, "stdin": pairs})
