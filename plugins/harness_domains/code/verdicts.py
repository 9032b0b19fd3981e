"""How a program did in its tests."""

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
    """The verdict of one test and, where it did not pass, why."""

    verdict: Verdict
    detail: str = ""

    @classmethod
    def of(cls, outcome: Outcome, what: str = "") -> Self:
        """Returns the failure of a test whose job did not end well."""
        assert outcome.kind != "ok"
        return cls(outcome.kind, f"{what}{outcome.kind}: {outcome.detail}"[:MOST_DETAIL])


@dataclass
class Judgement:
    """The verdicts of one program, one per test, and how many of its problem's tests could not be run."""

    tests: list[Tested] = field(default_factory=list)
    unsupported: int = 0
    reason: str = ""

    @property
    def share(self) -> float:
        """The share of the tests that passed; 0.0 where there is none."""
        return sum(test.verdict == "passed" for test in self.tests) / max(1, len(self.tests))

    def describe(self) -> str:
        """Returns the counts of the verdicts and the first failure, for people."""
        counts = Counter(test.verdict for test in self.tests)
        parts = [f"{counts['passed']} of {len(self.tests)} tests passed"]
        parts += [f"{count} {verdict}" for verdict, count in sorted(counts.items()) if verdict != "passed"]
        if self.unsupported:
            parts.append(f"{self.unsupported} not supported: {self.reason}")
        first = next((test.detail for test in self.tests if test.detail), "")
        return "; ".join(parts) + (f" ({first})" if first else "")
