"""Pairwise verdicts: read from a judge's answers, and combined over both orders of the texts.

Judges are biased to a position: many prefer the text that they read first. As in Zheng et al. 2023 (arXiv 2306.05685,
section 3.4), a text wins only if it wins in both orders; a verdict that depends on the order is a tie.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from harness.domains.judge.answers import without_thinking

Verdict = Literal["first", "second", "tie"]

_MARKS = r"[\s*_`\"'()\[\].]*+"
_ANNOUNCED = re.compile(rf"\b(?:better|verdict|winner)(?!\s+(?:than|of)\b){_MARKS}(?::|=)(.*)", re.IGNORECASE)
_BRACKETED = re.compile(r"\[\[\s*(A|B|C|tie)\s*\]\]", re.IGNORECASE)
_NAMES = r"(?:A|B|[Tt]ied?|TIE|[Dd]raw|[Ee]qual|[Nn]either|[Bb]oth|[Ff]irst|[Ss]econd)"
_NAMED = re.compile(rf"(?:[Tt]he\s+)?(?:(?:[Aa]nswer|[Pp]iece|[Rr]eply|[Tt]ext)\s+)?({_NAMES})(?![A-Za-z0-9])")
_ANOTHER = re.compile(rf"{_MARKS}(?:,|/|\||\bor\b|\band\b)\s*+(?:or\s++|and\s++)?{_MARKS}{_NAMES}(?![A-Za-z0-9])")
_MEANINGS: dict[str, Verdict] = {"a": "first", "first": "first", "b": "second", "second": "second"}


def parse_verdict(answer: str) -> Verdict | None:
    """Returns the verdict of a judge's answer, or None if there is no verdict, or more than one.

    It follows the last `Better:`, `Verdict:` or `Winner:`, is the last `[[…]]`, or is all of the answer.
    """
    text = without_thinking(answer).strip()
    announced = _ANNOUNCED.findall(text)
    bracketed = _BRACKETED.findall(text)
    if bracketed and not announced:
        return _MEANINGS.get(bracketed[-1].lower(), "tie")
    said = re.sub(rf"^{_MARKS}", "", announced[-1] if announced else text)
    named = _NAMED.match(said)
    if named is None:
        return None
    rest = said[named.end() :]
    if _ANOTHER.match(rest) or (not announced and re.sub(_MARKS, "", rest)):
        return None
    return _MEANINGS.get(named[1].lower(), "tie")


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The verdicts on a text and its reference: with the text first, and with the reference first."""

    text_first: Verdict
    reference_first: Verdict

    @property
    def flipped(self) -> bool:
        """Whether the order changed the verdict."""
        return _worth(self.text_first, "first") != _worth(self.reference_first, "second")

    @property
    def value(self) -> float:
        """1 if the text won in both orders, 0 if the reference did, 0.5 otherwise."""
        return 0.5 if self.flipped else _worth(self.text_first, "first")


def _worth(verdict: Verdict, place: Verdict) -> float:
    if verdict == "tie":
        return 0.5
    return 1.0 if verdict == place else 0.0
