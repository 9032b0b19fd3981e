"""Finds the answer in the completion of a model that thinks first, in the same way for rewards, tasks and judges.

Some chat templates open the thinking in the prompt, for example that of Qwen3-4B-Thinking-2507. The completion then has
only the closing tag, and no tag at all if it was truncated, so its text alone looks like an answer. Therefore the
opening tag is prepended, where the prompt is known, before anything reads the completion.
"""

from __future__ import annotations

from typing import Any

THINK_START, THINK_END = "<think>", "</think>"


def answer_after_thinking(completion: str, *, thinks: bool = False) -> str | None:
    """Returns the text after the last `</think>`, all of the text if there is no thinking, or None if the thinking does
    not end, so that there is no answer.

    Args:
        thinks: require `</think>`, because the model thinks and its chat template opens the thinking.
    """
    _, closed, answer = completion.rpartition(THINK_END)
    if THINK_START in answer or (thinks and not closed):
        return None
    return answer


def opens_thinking(prompt: str) -> bool:
    """Returns whether a prompt, as the model reads it, ends with an opened `<think>`."""
    return prompt.rstrip().endswith(THINK_START)


def whole_completion(prompt: str, completion: str) -> str:
    """Returns the completion, with `<think>` prepended if the prompt ends with it."""
    return f"{THINK_START}\n{completion}" if opens_thinking(prompt) else completion


class ReadsThinking:
    """A mixin for lm-eval tasks, listed before the task's class: filters and scoring get whole completions.

    A domain with such tasks sets `reads_thinking`.
    """

    _instances: Any

    def apply_filters(self) -> Any:
        for instance in self._instances or ():
            instance.resps = [whole_completion(instance.args[0], completion) for completion in instance.resps]
        return super().apply_filters()  # type: ignore[misc]
