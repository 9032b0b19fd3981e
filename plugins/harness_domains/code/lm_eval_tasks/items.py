"""The items of the tasks, from the sources in the tasks' metadata."""

import json
from typing import Any

from datasets import Dataset

from harness.domains import SOURCE_TEXT, DataSource
from harness_domains.code.config import CodeConfig
from harness_domains.code.problems import load_questions


def humaneval(humaneval: dict[str, Any] | None = None, sandbox: dict[str, Any] | None = None, **_: Any) -> Any:
    """Returns lm-eval's mapping of splits for HumanEval."""
    return _items("humaneval", humaneval, sandbox)


def mbpp(mbpp: dict[str, Any] | None = None, sandbox: dict[str, Any] | None = None, **_: Any) -> Any:
    """Returns lm-eval's mapping of splits for MBPP."""
    return _items("mbpp", mbpp, sandbox)


def _items(form: str, given: dict[str, Any] | None, sandbox: dict[str, Any] | None) -> dict[str, Dataset]:
    source = DataSource(**given) if given else getattr(CodeConfig(), form)
    _, questions = load_questions(source, form)
    settings = json.dumps(sandbox or {}, sort_keys=True)
    rows = [
        {
            "question": asked.text,
            "signature": asked.problem.prefix,
            "tests": asked.problem.to_json(),
            "reference": asked.reference,
            "sandbox": settings,
            SOURCE_TEXT: asked.own_text,
        }
        for asked in questions
    ]
    return {"test": Dataset.from_list(rows)}
