"""The process that generates items and scores answers: it reads a request per line and writes a reply per line.

It is a separate process because some generators seed or use the global random generators, or print; because the order
of sets of text depends on the process's hash seed; and because some answers keep a verifier busy forever. The parent
kills it after the time limit.
"""

from __future__ import annotations

import json
import math
import os
import random
import resource
import sys
from functools import lru_cache
from typing import Any

from harness_domains.reasoning_gym.answers import AnswerForm, answer_in, in_form
from harness_domains.reasoning_gym.catalogue import make_dataset
from harness_domains.reasoning_gym.evaluated_answers import is_safe
from harness_domains.reasoning_gym.plain_json import dumps, loads

MEMORY = 4 * 1024**3
"""The limit on address space in bytes, so that a huge number causes an error instead of swapping."""
FEWEST_TO_TELL = 8
"""The number of items from which it is an error if no answer is safe to evaluate. Of a few items all may be unsafe by
chance, because SymPy leaves some integrals unevaluated."""


def items(task: str, settings: dict[str, Any], seed: int, size: int, form: AnswerForm) -> dict[str, Any]:
    """Returns `items`: question, answer and metadata of each as tagged JSON. Or returns `error`, if the task raises, if
    an answer cannot be given in the requested form, or if no answer is safe to verify."""
    dataset = make_dataset(task, settings, seed, size)
    made, refused = [], 0
    for index in range(size):
        _seed_generators(f"{task}/{seed}/{index}")
        item = dataset[index]
        answer = item["answer"]
        if answer is not None:
            if answer_in(in_form(str(answer), form), form) != (str(answer).strip() or None):
                return {"error": f"the answer {answer!r:.80} cannot be given as {form}"}
            refused += not is_safe(task, str(answer).strip(), str(answer))
        entry = {"question": item["question"], "answer": answer, "metadata": item["metadata"]}
        made.append(dumps(entry))
    if refused == size >= FEWEST_TO_TELL:
        return {"error": f"no answer, such as {answer!r:.80}, is safe to hand to the verifier, which evaluates it"}
    return {"items": made}


def score(task: str, settings_json: str, entry: str, answer: str | None) -> dict[str, Any]:
    """Returns `score`, the verifier's score of `answer`. None is no answer; an unsafe answer counts as None.

    Or returns `error`, if the verifier raises or does not return a finite number.
    """
    item = loads(entry)
    if answer is not None and not is_safe(task, answer, item["answer"]):
        answer = None
    dataset = _verifier(task, settings_json)
    _seed_generators(entry)
    value = float(dataset.score_answer(answer, item))
    return {"score": value} if math.isfinite(value) else {"error": f"the verifier of {task} gave {value}"}


@lru_cache(maxsize=16)
def _verifier(task: str, settings_json: str) -> Any:
    return make_dataset(task, json.loads(settings_json), seed=0, size=1)


def _seed_generators(name: str) -> None:
    import numpy

    draw = random.Random(name)
    random.seed(draw.getrandbits(31))
    numpy.random.seed(draw.getrandbits(31))


def _replied(request: dict[str, Any]) -> dict[str, Any]:
    do = request.pop("do")
    try:
        return items(**request) if do == "items" else score(**request)
    except (Exception, RecursionError) as error:  # tasks raise whatever they like
        return {"error": f"{type(error).__name__}: {error}"[:400]}


def main() -> None:
    """Answers requests until the input ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # some tasks print
    if sys.platform == "linux":  # elsewhere the limit is refused
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    make_dataset("leg_counting", {}, 0, 1)  # do the imports before the first answer is timed
    replies.write("ready\n")
    replies.flush()
    for line in sys.stdin:
        replies.write(json.dumps(_replied(json.loads(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
