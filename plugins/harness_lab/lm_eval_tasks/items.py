"""The held-out items of the tasks, drawn from a named seed each time: nothing is downloaded or stored."""

from typing import Any

from datasets import Dataset

from harness_lab.evaluation_items import evaluation_items


def code(**_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits for the code task."""
    return evaluation_items("code")


def math(**_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits for the math task."""
    return evaluation_items("math")


def qa(**_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits for the question-answering task."""
    return evaluation_items("qa")


def cw(**_: Any) -> dict[str, Dataset]:
    """Returns lm-eval's mapping of splits for the creative-writing task."""
    return evaluation_items("cw")
