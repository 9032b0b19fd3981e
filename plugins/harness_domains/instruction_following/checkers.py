"""Uses lm-eval's checkers for IFEval's constraints: lists them, validates constraints, and checks responses.

All checks are lm-eval's, so that rewards and scores agree with it. Importing this module does not import lm-eval.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any
from unittest import mock

from harness import UsageError
from harness.domains import parse_json
from harness_domains.instruction_following import sentence_data

LANGUAGE_SEED = 0
"""The seed of langdetect, which is otherwise random and detects different languages for the same short text."""

PROBE = "Just a probe."
LISTS = ("keywords", "forbidden_words")


@dataclass(frozen=True)
class Constraint:
    """A checkable constraint: its id in lm-eval's registry, and its arguments that are not None."""

    identifier: str
    arguments: Mapping[str, Any]

    def fault(self, *, chance: bool = False) -> str | None:
        """Returns why the constraint cannot be checked, or None if it can.

        chance: allow arguments that are missing or out of range, for which lm-eval draws a random value.
        """
        if self.identifier not in known_identifiers():
            return f"lm-eval has no constraint {self.identifier}; it has {', '.join(known_identifiers())}"
        if self.lacks_data():
            return f"{self.identifier}: {sentence_data.MISSING} ({sentence_data.HINT})"
        return _fault(self.identifier, json.dumps(self.arguments, sort_keys=True), chance)

    def lacks_data(self) -> bool:
        """Returns whether the constraint needs nltk data that this machine does not have."""
        return self.identifier in sentence_data.SPLITTING and not sentence_data.has_sentence_data()


def constraints_of(identifiers: Any, arguments: Any) -> list[Constraint]:
    """Returns a row's constraints from its lists of ids and of arguments, each of which may be JSON text.

    Raises ValueError if the lists are malformed. The constraints themselves are not checked.
    """
    identifiers, arguments = _from_json(identifiers, "ids"), _from_json(arguments, "arguments")
    if not isinstance(identifiers, list) or not identifiers or not all(isinstance(name, str) for name in identifiers):
        raise ValueError(f"the ids of its constraints are {identifiers!r:.60}, not a list of names")
    if not isinstance(arguments, list) or len(arguments) != len(identifiers):
        raise ValueError(f"it has {len(identifiers)} constraints, but the arguments {arguments!r:.60}")
    if not all(isinstance(given, dict | None) for given in arguments):
        raise ValueError(f"the arguments of its constraints are {arguments!r:.60}, not a list of mappings")
    # A data set in columns has every argument in every row, None where a constraint has no such argument.
    given = [{name: value for name, value in (one or {}).items() if value is not None} for one in arguments]
    return [Constraint(name, one) for name, one in zip(identifiers, given, strict=True)]


def as_json(constraints: Iterable[Constraint]) -> str:
    """Returns the constraints' arguments as JSON text, because their types differ."""
    return json.dumps([dict(one.arguments) for one in constraints])


def met(constraints: Sequence[Constraint], response: str) -> list[bool]:
    """Returns for each constraint whether a response meets it, by lm-eval's strict test. An empty one meets none."""
    return [_meets(one, response) for one in constraints]


def ifeval_scores(constraints: Sequence[Constraint], response: str) -> dict[str, Any]:
    """Returns the metrics of an item as computed by lm-eval's `process_results`.

    In lm-eval a checker that exceeds the recursion limit on nested text stops the whole evaluation. Here only its
    constraint counts as not met.
    """
    try:
        return _process_results(constraints, response)
    except RecursionError:
        parts = [_scores_of([one], response) for one in constraints]
    lists = {name: [part[name][0] for part in parts] for name in parts[0] if name.startswith("inst_level")}
    return lists | {name.replace("inst_level", "prompt_level"): all(values) for name, values in lists.items()}


@cache
def ifeval() -> Any:
    """Returns lm-eval's module that scores IFEval. Raises UsageError if packages that it needs are missing."""
    try:
        nltk, langdetect = import_module("nltk"), import_module("langdetect")
        # Imported where nltk lacks its data, the module would download them, needed or not, with a network or without.
        with mock.patch.object(nltk.data, "find"):
            module = import_module("lm_eval.tasks.ifeval.utils")
    except (ImportError, AssertionError) as error:  # an nltk that is too old is an AssertionError
        raise UsageError(
            f"the checkers of lm-eval's ifeval cannot be loaded: {error}",
            hint="install what they need: pip install 'mdrl-harness[ifollow]'",
        ) from error
    langdetect.DetectorFactory.seed = LANGUAGE_SEED
    # Of every text without letters the module logs the whole text as an error.
    logging.getLogger("lm_eval.tasks.ifeval.instructions").setLevel(logging.CRITICAL)
    return module


@cache
def known_identifiers() -> tuple[str, ...]:
    """Returns the ids of the constraints that lm-eval can check."""
    return tuple(sorted(ifeval().instructions_registry.INSTRUCTION_DICT))


def _document(constraints: Sequence[Constraint]) -> dict[str, Any]:
    return {
        "key": 0,
        "prompt": "",  # no checker of the registry reads it
        "instruction_id_list": [one.identifier for one in constraints],
        "kwargs": [dict(one.arguments) for one in constraints],
    }


def _meets(constraint: Constraint, response: str) -> bool:
    scoring = ifeval()
    try:
        strict = scoring.test_instruction_following_strict(scoring.InputExample(**_document([constraint])), response)
    except RecursionError:  # the JSON checker's, on text nested deeper than any JSON that is asked for
        return False
    return bool(strict.follow_all_instructions)


def _process_results(constraints: Sequence[Constraint], response: str) -> dict[str, Any]:
    scores: dict[str, Any] = ifeval().process_results(_document(constraints), [response])
    return scores


def _scores_of(constraints: Sequence[Constraint], response: str) -> dict[str, Any]:
    try:
        return _process_results(constraints, response)
    except RecursionError:
        none = [False] * len(constraints)
        return {
            "prompt_level_strict_acc": False,
            "inst_level_strict_acc": none,
            "prompt_level_loose_acc": False,
            "inst_level_loose_acc": none,
        }


@lru_cache(maxsize=100_000)
def _fault(identifier: str, arguments: str, chance: bool) -> str | None:
    # lm-eval takes an argument that is 0 or empty for one that is missing.
    given = {name: value for name, value in parse_json(arguments).items() if value}
    for name in LISTS:
        if name in given and not isinstance(given[name], list):
            return f"{identifier} needs a list of words as {name}, but has {given[name]!r:.60}"
    checker = ifeval().instructions_registry.INSTRUCTION_DICT[identifier](identifier)
    state = random.getstate()
    try:
        checker.build_description(**given)
        drawn = random.getstate() != state
        checker.check_following(PROBE)
    except Exception as error:  # checkers raise whatever their arguments make them
        return f"{identifier} cannot be checked with {arguments:.120}: {type(error).__name__}: {error}"
    finally:
        random.setstate(state)
    if drawn and not chance:
        wanted = ", ".join(checker.get_instruction_args_keys())
        return f"{identifier} needs {wanted}, but has {arguments:.120}: lm-eval would draw the rest at random"
    return None


def _from_json(value: Any, what: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value)
    except ValueError:
        raise ValueError(f"the {what} of its constraints are {value!r:.60}, which is no JSON") from None
