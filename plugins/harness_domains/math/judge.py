"""The verifier of reward and tasks alike: it compares the last box with the reference, in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence

from harness import RewardResult
from harness.domains import LineWorker
from harness_domains.math.answers import boxed_answer

SHOWN = 5
"""References that are named to a person."""


def found_answer(completion: str, *, thinks: bool) -> str | None:
    """Returns the answer of a completion; None without a box, or where it holds nothing."""
    answer = boxed_answer(completion, thinks=thinks)
    return answer if answer and answer.strip() else None


def why_wrong(answer: str | None, references: Sequence[str]) -> str:
    """Returns why an answer that is equal to none of the references gets 0."""
    if answer is None:
        return "no answer was found in the completion"
    none = "is not equal to" if len(references) == 1 else "is equal to none of"
    return f"{answer:.80} {none} {', '.join(f'{reference:.80}' for reference in references[:SHOWN])}"


class Judge:
    """Compares answers with references, from any thread. The worker starts at first use, and again after a timeout."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._worker = LineWorker("harness_domains.math.worker", hint="is math-verify installed beside the harness?")

    def score(self, completion: str, reference: str, *, thinks: bool = False) -> RewardResult:
        """Returns 1.0 where the last box after the thinking equals the reference, 0.0 where it does not or is missing.

        It is an error where the reference cannot be read, a timeout where comparing takes too long.
        """
        return self.compare(reference, found_answer(completion, thinks=thinks))

    def compare(self, reference: str, answer: str | None) -> RewardResult:
        """Returns the result of an answer, with the reason where it is not right; None is no answer, for which the
        reference is read all the same."""
        try:
            reply = self._worker.ask([reference, answer], self.timeout_seconds)
        except TimeoutError:
            return RewardResult.timeout(f"comparing {answer!r:.80} took more than {self.timeout_seconds:g} s")
        except ConnectionError:
            return RewardResult.error(f"the verifier died on {answer!r:.80}")
        if reply["verdict"] == "error":
            return RewardResult.error(reply["detail"])
        if reply["verdict"] == "right":
            return RewardResult.ok(1.0)
        return RewardResult.ok(0.0, why_wrong(answer, [reference]))

    def close(self) -> None:
        """Ends the worker; the next comparison starts another."""
        self._worker.close()
