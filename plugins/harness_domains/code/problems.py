"""Reads the columns of the three data sets as questions and tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import UsageError
from harness.domains import SOURCE_ROW, DataSource, load_table, parse_json
from harness_domains.code.problem import Problem

if TYPE_CHECKING:
    from datasets import Dataset

USUAL_IMPORTS = """\
from typing import *
from string import *
from copy import *
from json import *
from random import *
from statistics import *
from operator import *
from math import *
from bisect import *
from heapq import *
from itertools import *
from functools import *
from collections import *
from builtins import *
from datetime import date, timedelta
import bisect, collections, copy, datetime, functools, heapq, itertools, json, math, operator, random, re
import statistics, string, sys, typing
from sys import maxsize, setrecursionlimit, stdin, stdout
"""
"""The imports of LeetCode's judge, which the starter code of such problems assumes.

The modules are those in the headers of LeetCodeDataset and LiveCodeBench. The order decides which module a shared name
comes from: builtins first, then `collections`, so that `pow` takes three arguments and `Counter` is not a type hint.
"""

FENCE = "Write the whole program in one ```python block."


@dataclass(frozen=True)
class Question:
    """A problem.

    text: the prompt. problem: its tests. reference: a reference solution, empty if the data have none. own_text: the
    problem's text without what this plugin adds to it.
    """

    text: str
    problem: Problem
    reference: str = ""
    own_text: str = ""


def klear(row: Mapping[str, Any]) -> Question:
    """Reads `prompt`, a chat of one message, and `reward_model.ground_truth`: JSON with `functional` or `pytest` (test
    code), or with `inputs` and `outputs` of standard streams. Raises ValueError for other data."""
    prompt = row["prompt"]
    text = prompt if isinstance(prompt, str) else "\n\n".join(str(message["content"]) for message in prompt)
    truth = row["reward_model"]["ground_truth"]
    truth = parse_json(truth) if isinstance(truth, str) else truth
    code = truth.get("functional") or truth.get("pytest")
    if code:
        source = code if isinstance(code, str) else "\n".join(code)
        return Question(text, Problem(prefix=USUAL_IMPORTS, source=source), own_text=text)
    if "inputs" in truth and "outputs" in truth:
        pairs = zip(map(_stream, truth["inputs"]), map(_stream, truth["outputs"]), strict=True)
        return Question(text, Problem(stdin=tuple(pairs)), own_text=text)
    return Question(text, Problem(), own_text=text)


def _stream(text: Any) -> str:
    return ", ".join(map(str, text)) if isinstance(text, list) else str(text)


def mbpp(row: Mapping[str, Any]) -> Question:
    """Reads `test_list`, `text` and `test_setup_code`, or the sanitized subset's `prompt` and `test_imports`."""
    asked = row.get("text") or row.get("prompt") or ""
    tests = [str(test) for test in row["test_list"]]
    setup = "\n".join([row.get("test_setup_code") or "", *(row.get("test_imports") or ())]).strip()
    task = f"You are an expert Python programmer, and here is your task: {asked}"
    text = "\n".join([task, "Your code should pass these tests:", "", *tests, "", FENCE])
    problem = Problem(source="\n".join([setup, *tests]).lstrip())
    return Question(text, problem, row.get("code") or "", asked)


def humaneval(row: Mapping[str, Any]) -> Question:
    """Reads `prompt`, `test`, `entry_point` and, for the reference, `canonical_solution`."""
    text = f"Complete this function.\n\n```python\n{row['prompt']}```\n\n{FENCE}"
    problem = Problem(prefix=row["prompt"], source=row["test"], entry_point=row["entry_point"])
    return Question(text, problem, row.get("canonical_solution") or "", row["prompt"])


@dataclass(frozen=True)
class Form:
    """The required columns of a data set, and the function that reads its rows."""

    columns: Mapping[str, str]
    read: Callable[[Mapping[str, Any]], Question]


FORMS = {
    "klear": Form(
        {
            "prompt": "the problem, as a list of chat messages",
            "reward_model": "an object whose ground_truth is JSON text with functional, or with inputs and outputs",
        },
        klear,
    ),
    "mbpp": Form({"test_list": "a list of assert statements"}, mbpp),
    "humaneval": Form(
        {
            "prompt": "a function's signature and docstring",
            "test": "code that defines check(candidate)",
            "entry_point": "the function's name",
        },
        humaneval,
    ),
}


def load_questions(source: DataSource, form: str) -> tuple[Dataset, Sequence[Question]]:
    """Returns the rows of a source and their questions. Raises UsageError if the data cannot be loaded or read."""
    rows = load_table(source, FORMS[form].columns)
    questions = []
    for row in rows:
        try:
            questions.append(FORMS[form].read(row))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(
                f"the row cannot be read as {form}: {type(error).__name__}: {error}",
                where=row[SOURCE_ROW],
                hint="; ".join(f"{name} is {what}" for name, what in FORMS[form].columns.items()),
            ) from error
    return rows, questions
