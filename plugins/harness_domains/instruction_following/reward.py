"""The reward `ifeval`: the fraction of a row's constraints that a completion meets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from harness import NoConfig, Reward, RewardBatch, RewardResult, UsageError
from harness_domains.instruction_following.answers import checked_text
from harness_domains.instruction_following.checkers import constraints_of, ifeval, met
from harness_domains.instruction_following.sentence_data import fetch_sentence_data


class InstructionReward(Reward):
    """The share of a row's constraints that the text after the thinking meets.

    The row has the constraints in `instruction_id_list` and `kwargs`, a list of mappings or its JSON text. If its
    `thinks` is true, the thinking must have ended. A completion without an answer gets 0. A row whose constraints
    cannot be checked is an error.
    """

    def __init__(self, config: NoConfig) -> None:
        pass

    def fetch(self) -> None:
        """Downloads the nltk data that two of the checkers need, if possible.

        Failures are ignored, because the rows are not known here: a domain whose rows need the data refuses to load
        without them.
        """
        ifeval()
        with suppress(UsageError):
            fetch_sentence_data()

    def unjudgeable(self, prompts: Sequence[Any], rows: Sequence[Mapping[str, Any]]) -> Sequence[str | None]:
        """Returns why a row's constraints cannot be checked. Missing nltk data are not a reason."""
        ifeval()
        return [_fault(row) for row in rows]

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        """Returns one result per row. Raises UsageError if packages that lm-eval's checkers need are missing."""
        ifeval()
        return [self._score(text, row) for text, row in zip(batch.completions, batch.rows, strict=True)]

    def _score(self, completion: str, row: Mapping[str, Any]) -> RewardResult:
        if (fault := _fault(row, here=True)) is not None:
            return RewardResult.error(fault)
        constraints = constraints_of(row["instruction_id_list"], row["kwargs"])
        try:
            verdicts = met(constraints, checked_text(completion, thinks=bool(row.get("thinks", False))))
        except Exception as error:  # lm-eval's checkers are not ours, and one odd text must not stop a step
            return RewardResult.error(f"a checker failed: {type(error).__name__}: {error}")
        broken = [one.identifier for one, kept in zip(constraints, verdicts, strict=True) if not kept]
        detail = f"not met: {', '.join(broken)}" if broken else ""
        return RewardResult.ok(sum(verdicts) / len(verdicts), detail)


def _fault(row: Mapping[str, Any], *, here: bool = False) -> str | None:
    """Returns why a row's constraints cannot be checked. here: also consider what this machine lacks."""
    if missing := [name for name in ("instruction_id_list", "kwargs") if row.get(name) is None]:
        return f"the row has no column {', '.join(missing)}"
    try:
        constraints = constraints_of(row["instruction_id_list"], row["kwargs"])
    except ValueError as error:
        return f"the row cannot be used: {error}"
    faults = (one.fault() if here or not one.lacks_data() else None for one in constraints)
    return next((fault for fault in faults if fault is not None), None)
