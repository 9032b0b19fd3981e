"""Generates training and test problems that share no question."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness import StepFailed, UsageError
from harness_domains.reasoning_gym.config import ReasoningGymConfig
from harness_domains.reasoning_gym.plain_json import loads
from harness_domains.reasoning_gym.shared_worker import shared_worker

ENTRY_COLUMN = "reasoning_gym"
"""The column that the reward reads: JSON with everything that the verifier needs."""


@dataclass(frozen=True)
class Problem:
    """An item of a task: its question, its reference answer ("" if there is none), and the row for the reward."""

    question: str
    answer: str
    row: str


def training_problems(config: ReasoningGymConfig, seed: int) -> list[Problem]:
    """Returns the problems of a run's seed, without test items.

    Raises StepFailed if the task raises, and UsageError if no problem is left.
    """
    tested = {problem.question for problem in test_problems(config)}
    made = _made(config, f"train/{seed}", config.prompts)
    return _some([problem for problem in made if problem.question not in tested], config, "training")


def test_problems(config: ReasoningGymConfig) -> list[Problem]:
    """Returns the distinct test problems. Raises StepFailed if the task raises."""
    made = _made(config, f"test/{config.test_seed}", config.test_items)
    return list({problem.question: problem for problem in reversed(made)}.values())[::-1]


test_problems.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


def verifier_request(row: str) -> Mapping[str, Any]:
    """Returns the content of `Problem.row`: `task`, `settings`, `form`, `thinks`, and `entry`, the item itself.

    Raises ValueError for any other text.
    """
    request = json.loads(row)
    if not isinstance(request, dict) or not {"task", "settings", "form", "thinks", "entry"} <= set(request):
        raise ValueError("not a row of this domain")
    return request


def _made(config: ReasoningGymConfig, draw: str, size: int) -> list[Problem]:
    entries = _generated(config.task, config.settings_json(), _seed_of(draw), size, config.answer)
    return list(_problems(entries, config))


def _problems(entries: tuple[str, ...], config: ReasoningGymConfig) -> Iterator[Problem]:
    about = {"task": config.task, "settings": config.settings_json(), "form": config.answer, "thinks": config.thinks}
    for entry in entries:
        item = loads(entry)
        answer = "" if item["answer"] is None else str(item["answer"])
        yield Problem(str(item["question"]), answer, json.dumps(about | {"entry": entry}, ensure_ascii=False))


@lru_cache(maxsize=32)
def _generated(task: str, settings: str, seed: int, size: int, form: str) -> tuple[str, ...]:
    request = {"do": "items", "task": task, "settings": json.loads(settings), "seed": seed, "size": size, "form": form}
    try:
        reply = shared_worker().ask(request)
    except ConnectionError as error:
        reply = {"error": str(error)}
    if "items" not in reply:
        raise StepFailed(
            f"the task {task} of reasoning-gym makes no items: {reply['error']}",
            hint="change its config, or the domain's answer form",
        )
    return tuple(reply["items"])


def _seed_of(draw: str) -> int:
    """Returns a 31-bit seed. reasoning-gym seeds item i with seed + i, so seeds that are close would share items."""
    return int.from_bytes(hashlib.sha256(f"reasoning-gym/{draw}".encode()).digest()[:4], "big") >> 1


def _some(problems: list[Problem], config: ReasoningGymConfig, what: str) -> list[Problem]:
    if not problems:
        raise UsageError(
            f"no {what} problems of {config.task} are left in addition to the {config.test_items} test items",
            hint="ask for fewer test_items, or for a config with more problems",
        )
    return problems
