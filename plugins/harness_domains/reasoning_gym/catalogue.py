"""The tasks of the installed reasoning-gym: their names, their settings, and those that are refused.

The package is imported inside functions, because the import takes a second and the package is optional.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from harness_domains.reasoning_gym.evaluated_answers import SAFE_ANSWER

PACKAGE = "reasoning-gym"
INSTALL = "pip install 'mdrl-harness[reasoning-gym]'"

REFUSED = {
    "codeio": "it makes its items by running programs that a language model wrote and that nobody has read",
    "composite": "it only mixes other tasks: declare a domain for each of them, and train on several domains at once",
    "game_of_life_halting": "its verifier gives 1 to every answer that is not empty, right or wrong",
    "puzzle24": "its verifier takes any four numbers of its range that make 24, whichever the problem gives",
}
"""Tasks that cannot be used as a domain, with the reason."""

_EVALUATES = re.compile(r"\b(?:eval|exec|parse_expr|sympify)\(")
_READ = {
    "basic_arithmetic": "eval of an expression that the generator made",
    "bitwise_arithmetic": "eval of the problem that the generator made",
    "number_sorting": "eval of the reference, which the generator made",
    "propositional_logic": "its own parser, which is named parse_expr",
}
"""Tasks whose module evaluates text, and which text. Their source was checked: it is never a model's answer."""


def package_version() -> str:
    """Returns the installed version without importing the package, or "none" if it is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "none"


def task_names() -> list[str]:
    """Returns the names of the tasks that can be used as a domain. Raises ValueError if the package is missing."""
    return sorted(set(_registered()) - set(REFUSED))


def check_task(task: str) -> None:
    """Raises ValueError if `task` is unknown, with close matches, or refused, with the reason."""
    registered = _registered()
    if task not in registered:
        near = get_close_matches(task, registered, n=3)
        known = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(task_names())}"
        raise ValueError(f"{PACKAGE} {package_version()} has no task {task!r}; {known}")
    if task in REFUSED:
        raise ValueError(f"the task {task!r} is refused: {REFUSED[task]}")
    source = inspect.getsource(import_module(registered[task][0].__module__))
    if task not in SAFE_ANSWER and task not in _READ and _EVALUATES.search(source):
        raise ValueError(
            f"the task {task!r} of {PACKAGE} {package_version()} evaluates code, and this plugin does not know whether"
            " it is code that a model wrote"
        )


def check_settings(task: str, settings: Mapping[str, Any]) -> None:
    """Raises ValueError, with the valid keys, if the config of `task` does not accept `settings`."""
    _, config_type = _registered()[task]
    known = {field.name for field in fields(config_type)} - {"seed", "size"}
    for key in settings:
        if key in ("seed", "size"):
            raise ValueError(f"{key!r} is set by the domain's keys prompts, test_items and test_seed")
        if key not in known:
            near = get_close_matches(key, known, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(sorted(known))}"
            raise ValueError(f"the task {task!r} has no setting {key!r}; {hint}")
    try:
        config = config_type(**settings)
        if hasattr(config, "validate"):
            config.validate()
    except Exception as error:  # whatever a task's own checks raise; most are assertions
        raise ValueError(
            f"the task {task!r} does not accept these settings: {error or type(error).__name__}"
        ) from error


def make_dataset(task: str, settings: Mapping[str, Any], seed: int, size: int) -> Any:
    """Returns reasoning-gym's data set of `size` items. Raises whatever the task raises."""
    return _package().create_dataset(task, **settings, seed=seed, size=size)


def _registered() -> Mapping[str, tuple[Any, Any]]:
    registered: Mapping[str, tuple[Any, Any]] = _package().factory.DATASETS
    return registered


def _package() -> Any:
    try:
        return import_module("reasoning_gym")
    except ImportError as error:
        raise ValueError(f"{PACKAGE} cannot be imported ({error}); {INSTALL}") from error
