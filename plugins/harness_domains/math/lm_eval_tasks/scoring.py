"""Scores an item's answers by the verifier of the reward."""

from typing import Any

from harness_domains.math.answers import boxed_answer
from harness_domains.math.judge import Judge

_JUDGE = Judge(timeout_seconds=30.0)


def process_results(doc: dict[str, Any], results: list[list[str]]) -> dict[str, float]:
    """Returns the shares of the item's answers that are right, boxed, and without a verdict. The latter count as 0."""
    [answers] = results
    judged = [_JUDGE.score(answer, doc["answer"], thinks=doc["thinks"]) for answer in answers]
    boxes = [boxed_answer(answer, thinks=doc["thinks"]) for answer in answers]
    return {
        "math_verify": sum(result.value or 0.0 for result in judged) / len(judged),
        "boxed": sum(box is not None for box in boxes) / len(boxes),
        "unjudged": sum(result.outcome != "ok" for result in judged) / len(judged),
    }
