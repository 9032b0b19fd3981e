"""The verdicts of a program's tests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from harness.domains import Outcome

Verdict = Literal["passed", "wrong-answer", "runtime-error", "compile-error", "timeout", "unsupported", "sandbox-error"]
MOST_DETAIL = 300


@dataclass(frozen=True)
class Tested:
    """The verdict of one test, with the reason if it did not pass."""

    verdict: Verdict
    detail: str = ""

    @classmethod
    def of(cls, outcome: Outcome, what: str = "") -> Self:
        """Returns the verdict of a test whose job failed."""
        assert outcome.kind != "ok"
        return cls(outcome.kind, f"{what}{outcome.kind}: {outcome.detail}"[:MOST_DETAIL])


@dataclass
class Judgement:
    """The verdicts of one program, one per test, and the number of tests that could not be run."""

    tests: list[Tested] = field(default_factory=list)
    unsupported: int = 0
    reason: str = ""

    @property
    def share(self) -> float:
        """The share of the tests that passed, from 0 to 1; 0.0 if there are none."""
        return sum(test.verdict == "passed" for test in self.tests) / max(1, len(self.tests))

    def describe(self) -> str:
        """Returns the counts of the verdicts and the first failure as text."""
        counts = Counter(test.verdict for test in self.tests)
        parts = [f"{counts['passed']} of {len(self.tests)} tests passed"]
        parts += [f"{count} {verdict}" for verdict, count in sorted(counts.items()) if verdict != "passed"]
        if self.unsupported:
            parts.append(f"{self.unsupported} not supported: {self.reason}")
        first = next((test.detail for test in self.tests if test.detail), "")
        return "; ".join(parts) + (f" ({first})" if first else "")
