"""What an observer has received, so that a stopped run continues its curves without doubling points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from harness._util.json_reading import parse_json

JOURNAL = "received.jsonl"


class Journal:
    """A JSON-lines file with the last step that was received of each source. Deleting it makes the observer start
    again."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL
        self._last: dict[str, int] = {}
        lines = self._path.read_bytes().splitlines() if self._path.is_file() else []
        for line in lines:
            try:
                entry = parse_json(line)
                source, step = str(entry["source"]), int(entry["step"])
            except (ValueError, KeyError, TypeError):  # a killed process left an incomplete line
                continue
            self._last[source] = max(step, self._last.get(source, step))

    def last(self, source: str) -> int | None:
        """Returns the last step that was received, None if there is none."""
        return self._last.get(source)

    def add(self, steps: Mapping[str, int]) -> None:
        """Records that sources were received up to a step each."""
        self._last |= steps
        lines = [json.dumps({"source": source, "step": step}) for source, step in steps.items()]
        with self._path.open("ab") as file:
            file.write("".join(f"\n{line}" for line in lines).encode())  # a killed process leaves no end of its line
