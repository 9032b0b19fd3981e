"""The outcome of a check: faults, what was checked, and what could not be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness._util.printable import printable

_LONGEST = 300

Difference = tuple[str, object, object]
"""A place, what is expected there, and what is there."""


@dataclass(frozen=True, kw_only=True)
class RecordFault:
    """A number, key or file of a record that is not what it should be. where: the file and the place in it."""

    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, kw_only=True)
class RecordCheck:
    """The outcome of `harness.verify_record`: what was checked, what could not be and why, and the faults.

    given: what no check shows, because that would take the model.
    """

    folder: Path
    checked: tuple[str, ...]
    unchecked: tuple[str, ...]
    given: tuple[str, ...]
    faults: tuple[RecordFault, ...]

    @property
    def passed(self) -> bool:
        """Whether there are no faults. Parts may be unchecked."""
        return not self.faults

    @property
    def complete(self) -> bool:
        """Whether there are no faults, and nothing was left out that can be checked without the model."""
        return self.passed and not self.unchecked

    def to_json(self) -> dict[str, Any]:
        """Returns the outcome as JSON data."""
        return {
            "folder": str(self.folder),
            "passed": self.passed,
            "complete": self.complete,
            "checked": list(self.checked),
            "unchecked": list(self.unchecked),
            "given": list(self.given),
            "faults": [asdict(fault) for fault in self.faults],
        }


@dataclass
class Findings:
    """Collects an outcome. Texts from the record are made printable and short."""

    checked: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    faults: list[RecordFault] = field(default_factory=list)

    def fault(self, where: str, expected: object, found: object) -> None:
        """Adds a fault."""
        self.faults.append(RecordFault(where=_text(where), expected=_text(expected), found=_text(found)))

    def compare(self, where: str, expected: object, found: object) -> None:
        """Adds a fault if the two differ."""
        if expected != found:
            self.fault(where, expected, found)

    def first_of(self, faults: Iterator[Difference], most: int) -> None:
        """Adds the first faults of many, and the number of the others."""
        for number, (where, expected, found) in enumerate(faults):
            if number == most:
                others = 1 + sum(1 for _ in faults)
                self.fault(f"{where} and others", "no further differences", f"{others} more")
                break
            self.fault(where, expected, found)

    def done(self, text: str) -> None:
        """Adds something that was checked."""
        self.checked.append(_text(text))

    def missed(self, text: str) -> None:
        """Adds something that could not be checked, with the reason."""
        self.unchecked.append(_text(text))


def _text(value: object) -> str:
    text = " ".join(printable("nothing" if value is None else str(value)).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
