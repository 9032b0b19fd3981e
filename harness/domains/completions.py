"""What of a completion is its answer, where a model thinks first: one reading for rewards, tasks and judges.

A chat template may open the thinking in the prompt, as that of Qwen3-4B-Thinking-2507 does. The completion then has the
closing mark alone, and none at all where it was cut short: such a completion cannot be told from an answer by its text.
So the opening mark is put back in front, where the prompt is known, before anything reads the completion.
"""

from __future__ import annotations

from typing import Any

THINK_START, THINK_END = "<think>", "</think>"


def answer_after_thinking(completion: str, *, thinks: bool = False) -> str | None:
    """Returns what follows the last `</think>`, all of the text where nothing was thought, and None where a thought
    never ends: there is no answer.

    thinks: the mark has to come, because the model is known to think and its template to open the thought.
    """
    _, closed, answer = completion.rpartition(THINK_END)
    if THINK_START in answer or (thinks and not closed):
        return None
    return answer


def opens_thinking(prompt: str) -> bool:
    """Returns whether a prompt, as the model is given it, ends in a thought that it has opened."""
    return prompt.rstrip().endswith(THINK_START)


def whole_completion(prompt: str, completion: str) -> str:
    """Returns the completion with the opening mark of a thought that the prompt ends in put in front."""
    return f"{THINK_START}\n{completion}" if opens_thinking(prompt) else completion


class ReadsThinking:
    """Mixed into an lm-eval task, in front of its class: its filters and its scoring are given whole completions.

    A domain with such tasks sets `reads_thinking`.
    """

    _instances: Any

    def apply_filters(self) -> Any:
        for instance in self._instances or ():
            instance.resps = [whole_completion(instance.args[0], completion) for completion in instance.resps]
        return super().apply_filters()  # type: ignore[misc]
