"""Scores a completion with the verifier, for the reward and the lm-eval tasks."""

from __future__ import annotations

from harness import RewardResult
from harness_domains.reasoning_gym.answers import answer_in
from harness_domains.reasoning_gym.problems import verifier_request
from harness_domains.reasoning_gym.shared_worker import shared_worker


def judge(completion: str, row: str, seconds: float) -> RewardResult:
    """Returns the verifier's score of the answer in `completion`; without an answer, its score of None.

    Returns an error if the row cannot be read or the verifier raises, and a time-out after `seconds`.
    """
    try:
        request = verifier_request(row)
    except ValueError as error:
        return RewardResult.error(f"the row cannot be read: {error}")
    answer = answer_in(completion, request["form"], thinks=request["thinks"])
    asked = {
        "do": "score",
        "task": request["task"],
        "settings_json": request["settings"],
        "entry": request["entry"],
        "answer": answer,
    }
    try:
        reply = shared_worker().ask(asked, seconds)
    except TimeoutError:
        return RewardResult.timeout(f"{request['task']}: verifying {answer!r:.80} took more than {seconds:g} s")
    except ConnectionError:
        return RewardResult.error(f"{request['task']}: the verifier died on {answer!r:.80}")
    if "score" not in reply:
        return RewardResult.error(f"{request['task']}: {reply['error']}, on {answer!r:.80}")
    if answer is None:
        return RewardResult.ok(reply["score"], "no answer was found in the completion")
    detail = "" if reply["score"] == 1 else f"{answer:.80} scores {reply['score']:g}"
    return RewardResult.ok(reply["score"], detail)
