"""The verifier of the reward and the tasks: it compares the last box with the reference, in a separate process."""

from __future__ import annotations

from collections.abc import Sequence

from harness import RewardResult
from harness.domains import LineWorker
from harness_domains.math.answers import boxed_answer

SHOWN = 5
"""The maximum number of references in a message."""


def found_answer(completion: str, *, thinks: bool) -> str | None:
    """Returns the answer of a completion; None if it has no box, or an empty one."""
    answer = boxed_answer(completion, thinks=thinks)
    return answer if answer and answer.strip() else None


def why_wrong(answer: str | None, references: Sequence[str]) -> str:
    """Returns why an answer scores 0 that is equal to none of the references."""
    if answer is None:
        return "no answer was found in the completion"
    none = "is not equal to" if len(references) == 1 else "is equal to none of"
    return f"{answer:.80} {none} {', '.join(f'{reference:.80}' for reference in references[:SHOWN])}"


class Judge:
    """Compares answers with references, from any thread. The worker starts on first use, and again after a time-out."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._worker = LineWorker("harness_domains.math.worker", hint="is math-verify installed in this environment?")

    def score(self, completion: str, reference: str, *, thinks: bool = False) -> RewardResult:
        """Returns 1.0 if the last box after the thinking equals the reference, else 0.0.

        Returns an error if the reference cannot be read, and a time-out if the comparison takes too long.
        """
        return self.compare(reference, found_answer(completion, thinks=thinks))

    def compare(self, reference: str, answer: str | None) -> RewardResult:
        """Returns the result of an answer, with the reason if it is wrong. answer: None for no answer; the reference is
        still read."""
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
        """Stops the worker; the next comparison starts a new one."""
        self._worker.close()
