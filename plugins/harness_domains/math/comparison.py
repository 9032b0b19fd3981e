"""Compares an answer with its reference by math-verify, both in a normal form, with additional rules for numbers.

math-verify compares decimals to six places, so it considers any two numbers below a millionth equal. Therefore the
relative difference of two numbers is checked too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from harness_domains.math.normal_form import is_ambiguous, is_set_builder, normal_form, without_spaces_in_lists
from harness_domains.math.number_sets import as_intervals, is_interval
from harness_domains.math.prose import is_prose
from harness_domains.math.units import split_unit, without_letters

EXACT = 1e-12
"""The relative difference up to which two numbers are equal, about the precision of a double."""
AGREEMENT = 5e-5
"""The relative difference, half a unit of the fifth significant digit, up to which math-verify's verdict counts."""
LONGEST = 1000
"""The maximum length of an answer in characters. A longer one is wrong, unless it is shorter than four references."""

_IMAGINARY_UNIT = re.compile(r"(?<![A-Za-z\\])i(?![A-Za-z])")
_LIST_AS_TEXT = re.compile(r"\s*+\[\s*+(['\"]).*\1\s*\]\s*+", re.DOTALL)
_PLAIN_NUMBER = re.compile(r"-?\d{1,300}(?:\.\d+)?")
_PERCENT = re.compile(r"\s*+(?:\\?%|(?:\\text\{\s*+)?\b(?:percent(?:age)?|pct)\b\}?)")


class UnreadableReferenceError(ValueError):
    """The reference cannot be read as a mathematical expression, so no answer can be compared with it."""


def check_reference(reference: str) -> None:
    """Raises UnreadableReferenceError if no answer can be compared with the reference."""
    if is_prose(reference):
        raise UnreadableReferenceError(f"the reference {reference!r:.80} is prose, no mathematical expression")
    if _LIST_AS_TEXT.fullmatch(reference):
        hint = "several answers need a column of lists, as in JSON lines or Parquet"
        raise UnreadableReferenceError(f"the reference {reference!r:.80} is a list written as text: {hint}")
    if is_ambiguous(reference):
        raise UnreadableReferenceError(f"the reference {reference!r:.80} can be read as lists of different lengths")
    expected = split_unit(normal_form(reference))[0]
    if not is_set_builder(expected):  # such a set that is none of real numbers is compared as a text
        _expected(_PERCENT.sub("", expected), reference)


def same_answer(reference: str, answer: str) -> bool:
    """Returns whether the answer equals the reference. Raises UnreadableReferenceError if that cannot be read."""
    check_reference(reference)
    if len(answer) > max(LONGEST, 4 * len(reference)):
        return False
    if _contradicts_itself(answer):
        return False
    return any(_same_text(*pair) or _agree(*pair) for pair in _readings(reference, answer))


def _readings(reference: str, answer: str) -> Iterator[tuple[str, str]]:
    """Yields pairs of reference and answer of which one must agree: without units, and without percent signs.

    A percent sign may be left out or added, as in `50\\%` for 50. An answer such as `(1,100, 200)` has two readings.
    """
    if is_ambiguous(answer):
        yield normal_form(reference), normal_form(without_spaces_in_lists(answer))
    (expected, unit), (given, other) = split_unit(normal_form(reference)), split_unit(normal_form(answer))
    if unit and not other:
        given = without_letters(given, unit)
    if other and not unit:
        expected = without_letters(expected, other)
    yield expected, given
    if is_interval(expected) and (intervals := as_intervals(given)):
        yield expected, intervals
    elif is_interval(given) and (intervals := as_intervals(expected)):
        yield intervals, given
    bare = _PERCENT.sub("", expected), _PERCENT.sub("", given)
    if bare != (expected, given):
        yield bare


def _contradicts_itself(answer: str) -> bool:
    """Returns whether the answer equates different numbers, as `6 = 5`: math-verify would read only the last one."""
    sides = [side.strip(" $") for side in answer.split("=")]
    return all(_PLAIN_NUMBER.fullmatch(side) for side in sides) and len({float(side) for side in sides}) > 1


def _same_text(expected: str, given: str) -> bool:
    return "".join(expected.split()) == "".join(given.split())


def _expected(text: str, reference: str) -> list[Any]:
    try:
        expressions = _parsed(text)
    except Exception as error:  # sympy and antlr raise many kinds
        raise UnreadableReferenceError(f"the reference {reference!r:.80} cannot be read: {error!r:.120}") from error
    if all(isinstance(expression, str) for expression in expressions):  # the text alone is left where parsing failed
        raise UnreadableReferenceError(f"the reference {reference!r:.80} is not a mathematical expression")
    return expressions


def _agree(expected: str, given: str) -> bool:
    from math_verify import verify

    try:
        reference, answer = _parsed(expected), _parsed(given)
        right = bool(verify(reference, answer, timeout_seconds=None))
        difference = _relative_difference(reference, answer)
    except (Exception, RecursionError):  # an answer that cannot be read or compared is a wrong one
        return False
    if difference is None:
        return right
    return difference <= EXACT or (right and difference <= AGREEMENT)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> list[Any]:
    """Returns math-verify's reading of a text: the expression and the text, or only the text."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse

    config = LatexExtractionConfig(
        try_extract_without_anchor=False,  # a number inside a text that cannot be read is not the answer
        boxed_match_priority=0,
        normalization_config=NormalizationConfig(
            basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all", equations=False
        ),
    )
    # In a box, because that is what math-verify looks for; the caller's timeout takes the place of its own.
    expressions: list[Any] = parse(f"\\boxed{{{text}}}", [config], parsing_timeout=None, raise_on_error=True)
    if not _IMAGINARY_UNIT.search(text):
        return expressions
    return [_with_imaginary_unit(expression) for expression in expressions]


def _with_imaginary_unit(expression: Any) -> Any:
    """Returns the expression with the variable i replaced by the imaginary unit; math-verify reads it as a variable."""
    from sympy import I

    named = {symbol: I for symbol in getattr(expression, "free_symbols", ()) if getattr(symbol, "name", None) == "i"}
    return expression.subs(named) if named else expression


def _relative_difference(reference: list[Any], answer: list[Any]) -> float | None:
    """Returns the difference of two numbers relative to the larger one; None if one of them is not a number."""
    numbers = [_number(expressions[0]) for expressions in (reference, answer) if expressions]
    if len(numbers) != 2 or any(number is None for number in numbers):
        return None
    one, other = numbers
    largest = max(abs(one), abs(other))
    return abs(one - other) / largest if largest else 0.0


def _number(expression: Any) -> Any:
    """Returns the value of an expression to 30 digits, or None if it is not a finite number."""
    from sympy import Expr

    if not isinstance(expression, Expr) or expression.free_symbols:
        return None
    value = expression.doit().evalf(30)
    return value if value.is_number and value.is_finite else None
