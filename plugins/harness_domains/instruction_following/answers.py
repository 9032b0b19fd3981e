"""What of a completion is checked: what follows the thinking."""

from __future__ import annotations

from harness.domains import answer_after_thinking


def checked_text(completion: str, *, thinks: bool = False) -> str:
    """Returns what follows the thinking, without the space before it, as lm-eval's `think_end_token` leaves it.

    Without thinking it is the completion as it is; where a thought never ends, nothing. `thinks` is that of
    `harness.domains.completions.answer_after_thinking`.
    """
    answer = answer_after_thinking(completion, thinks=thinks) or ""
    return answer if answer == completion else answer.lstrip()
