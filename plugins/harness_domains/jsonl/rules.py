"""The rules that decide whether a completion has a row's answer. They are the rewards' configs, and score the task."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, field_validator

from harness import RewardResult
from harness.domains import answer_after_thinking
from harness_domains.jsonl.answer_text import Normalisation, composed
from harness_domains.jsonl.whole_words import stands_in, with_groups_joined

# Possessive where two parts could share what they match: trying all ways to share it takes quadratic time.
_FINAL_LETTER = r"(?i:answer|option|choice)\s*+(?:is|:)[\s:*$({{\[]*+(?:\\(?:boxed|text|mathrm)\{{)*\(?([{0}])(?![\w'])"
_BOXED_LETTER = r"\\boxed\{{\s*+(?:\\(?:text|mathrm)\{{)?\(?([{0}])(?![\w'])"
_LONE_LETTER = r"(?<![\w'\\])([{0}])(?![\w'])(?!\s+[a-z])"


class Rule(Normalisation):
    """Compares the answer in a completion, after its thinking, with the answer or answers in a column of the row."""

    answer_column: str = Field(default="answer", description="the row's column with the answer, or a list of answers")

    @abstractmethod
    def agrees(self, text: str, answer: str) -> bool:
        """Returns whether `text`, a completion without its thinking, has the answer `answer`."""

    def unusable(self, answer: str) -> str | None:
        """Returns why no completion can match `answer`, or None if one can."""
        return None if self.normalised(answer) else "the row's answer is empty"

    def unjudgeable(self, row: Mapping[str, Any]) -> str | None:
        """Returns why no completion can be judged by a row, or None if one can."""
        answers = self._answers(row)
        if not answers or any(answer is None for answer in answers):
            return f"the row has no answer in the column {self.answer_column!r}"
        return next((fault for answer in answers if (fault := self.unusable(str(answer)))), None)

    def judge(self, completion: str, row: Mapping[str, Any]) -> RewardResult:
        """Returns 1 if the completion has one of the row's answers, else 0; an error if the row has none."""
        if fault := self.unjudgeable(row):
            return RewardResult.error(fault)
        answered = (answer_after_thinking(completion) or "").strip()
        answers = list(map(str, self._answers(row)))
        if any(self.agrees(answered, answer) for answer in answers):
            return RewardResult.ok(1.0)
        return RewardResult.ok(0.0, f"{answered:.80} does not give {' or '.join(f'{one:.80}' for one in answers[:5])}")

    def _answers(self, row: Mapping[str, Any]) -> Sequence[Any]:
        value = row.get(self.answer_column)
        return value if isinstance(value, list | tuple) else [value]


class ExactMatch(Rule):
    """The whole completion is the answer."""

    last_line: bool = Field(default=False, description="compare the last line that is not empty only")

    def agrees(self, text: str, answer: str) -> bool:
        if self.last_line:
            text = text.splitlines()[-1] if text else text
        return self.normalised(text) == self.normalised(answer)


class Contains(Rule):
    """The completion contains the answer, not as part of a longer word or number."""

    most_words: int | None = Field(
        default=None,
        ge=1,
        description="a completion of more words has no answer, so that copying a passage is not one; null for no limit",
    )

    def agrees(self, text: str, answer: str) -> bool:
        if self.most_words is not None and len(text.split()) > self.most_words:
            return False
        return stands_in(*(self.normalised(with_groups_joined(one)) for one in (answer, text)))


class Pattern(Rule):
    """The last match of a regular expression is the answer."""

    pattern: str = Field(description="a Python regular expression; its first group, or all of it, is the answer")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return pattern

    def agrees(self, text: str, answer: str) -> bool:
        found = list(re.finditer(composed(self.pattern), composed(text), re.MULTILINE))
        if not found:
            return False
        last = found[-1]
        return self.normalised(last[1 if last.re.groups else 0] or "") == self.normalised(answer)


class ChoiceLetter(Rule):
    """The completion chooses the answer's letter.

    This is the last letter after "answer is", "answer:" or in `\\boxed{}`, else the last one that stands alone.
    """

    letters: str = Field(default="ABCDEFGHIJ", pattern="^[A-Z]{2,26}$", description="the letters of the choices")

    def unusable(self, answer: str) -> str | None:
        if self._letter_of(answer) is None:
            return f"the row's answer is {answer!r:.40}, not one of the letters {self.letters}"
        return None

    def agrees(self, text: str, answer: str) -> bool:
        final = self._last(_FINAL_LETTER, text)
        boxed = self._last(_BOXED_LETTER, text)
        said = max((found for found in (final, boxed) if found), key=lambda found: found.start(1), default=None)
        said = said or self._last(_LONE_LETTER, text)
        return said is not None and said[1] == self._letter_of(answer)

    def _letter_of(self, answer: str) -> str | None:
        letter = answer.strip(" ().").upper()
        return letter if len(letter) == 1 and letter in self.letters else None

    def _last(self, form: str, text: str) -> re.Match[str] | None:
        return max(re.finditer(form.format(self.letters), text), key=lambda found: found.start(), default=None)


RULES: Mapping[str, type[Rule]] = {
    "exact-match": ExactMatch,
    "contains": Contains,
    "regex": Pattern,
    "choice-letter": ChoiceLetter,
}


def rule_named(named: str | Mapping[str, Any]) -> Rule:
    """Returns a rule. named: its name, or a mapping with the name under `use` and the rule's keys.

    Raises ValueError for an unknown name, and pydantic's ValidationError for wrong keys.
    """
    keys: dict[str, Any] = {"use": named} if isinstance(named, str) else dict(named)
    name = keys.pop("use", "")
    if name not in RULES:
        raise ValueError(f"there is no rule {name!r}; there are {', '.join(RULES)}")
    return RULES[name](**keys)
