"""Scores stored answers again with lm-eval's own filters, metrics and aggregation, without a model."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from harness.errors import StepFailed
from harness.evaluation.lm_eval import evaluate_model
from harness.plugin.interfaces import TaskSet
from harness.protocol.evaluation_settings import EvaluationSettings

Answers = Mapping[str, Mapping[int, Sequence[Any]]]
"""By task and item (lm-eval's `doc_id`): the responses to each of the item's requests, as lm-eval logs them."""


class AnswerMissing(StepFailed):
    """A task asks for an answer that is not stored."""


def replayed(tasks: TaskSet, settings: EvaluationSettings, answers: Answers) -> dict[str, Any]:
    """Returns lm-eval's results for stored answers, as `evaluate_model` does for a model.

    With a chat template the prompts are not those of the model, because its tokenizer renders them; scores do not
    depend on prompts. Raises AnswerMissing if the tasks have an item without stored answers.
    """
    with _quiet(), _compiled_once():
        return evaluate_model(_replay()(answers), tasks, settings)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses lm-eval's notices, which are about running models."""
    logger = logging.getLogger("lm_eval")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _compiled_once() -> Iterator[None]:
    """Keeps lm-eval's compiled templates. It compiles one for every item, which takes most of the time without a
    model."""
    from lm_eval.utils import env

    env.from_string = cache(env.from_string)
    try:
        yield
    finally:
        del env.from_string  # that of its class again


@cache
def _replay() -> Any:
    from lm_eval.api.model import LM

    class Replay(LM):  # type: ignore[misc]
        """Answers each request with the stored response."""

        tokenizer_name = ""

        def __init__(self, answers: Answers) -> None:
            super().__init__()
            self._answers = answers

        def _stored(self, requests: Sequence[Any]) -> list[Any]:
            found = []
            repeats: dict[int, int] = {}
            for request in requests:  # one instance stands in the list as often as it is repeated
                number = repeats[id(request)] = repeats.get(id(request), -1) + 1
                try:
                    found.append(self._answers[request.task_name][request.doc_id][request.idx][number])
                except (LookupError, TypeError):
                    raise AnswerMissing(
                        f"no answer is stored for item {request.doc_id} of the task {request.task_name}"
                    ) from None
            return found

        loglikelihood = loglikelihood_rolling = generate_until = _stored

        def apply_chat_template(self, chat_history: Any, add_generation_prompt: bool = True) -> str:
            return json.dumps(chat_history)

    return Replay
