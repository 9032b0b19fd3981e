"""The items of the tasks: the problems that the domain's config names, or by default the tasks' own data sets."""

from typing import Any

from datasets import Dataset

from harness.domains import SOURCE_TEXT
from harness_domains.math.config import MathConfig, TaskName
from harness_domains.math.problems import load_problems, with_answers


def gsm8k(math: dict[str, Any] | None = None, **_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits for GSM8K."""
    return _items("gsm8k", math)


def math500(math: dict[str, Any] | None = None, **_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits for MATH-500."""
    return _items("math500", math)


def aime25(math: dict[str, Any] | None = None, **_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits for AIME 2025."""
    return _items("aime25", math)


def _items(task: TaskName, math: dict[str, Any] | None) -> dict[str, Dataset]:
    config = MathConfig.model_validate(math or {})
    rows = with_answers(load_problems(config.test_table(task)))
    prompts = [config.prompt(problem) for problem in rows["problem"]]
    rows = rows.add_column(SOURCE_TEXT, rows["problem"][:]).add_column("prompt", prompts)
    return {"test": rows.add_column("thinks", [config.thinks] * len(rows))}
