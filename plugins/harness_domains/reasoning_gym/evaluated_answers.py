"""Decides which answers are safe for verifiers that evaluate them as Python.

Eight verifiers call `eval` on the model's answer, or SymPy's `parse_expr`, which is `eval` behind a tokenizer. So they
get an answer only if it is in a small language without attributes, subscripts and calls, except of known functions: a
literal, arithmetic, a polynomial, a formula. Any other answer counts as missing and is never run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

MOST_CHARACTERS = 4000
"""The maximum length of answers of these tasks in characters. Parsers are slow or recurse too deeply on longer ones."""

FUNCTIONS = frozenset(
    {
        *("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "acot", "asec", "acsc"),
        *("sinh", "cosh", "tanh", "coth", "asinh", "acosh", "atanh", "exp", "log", "ln", "sqrt", "Abs", "erf"),
    }
)
"""The functions that a formula may call: SymPy's elementary functions and error function, by SymPy's names."""

LARGEST_EXPONENT = 100
"""Powers up to this exponent are computed immediately; nested powers are refused."""

_ARITHMETIC = re.compile(r"[\d\s.()+\-*/]*")
_FORMULA = re.compile(r"[\w\s.(),+\-*/]*", re.ASCII)
_NAME = re.compile(r"[A-Za-z]|pi")
_SIGNS = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def is_literal(answer: str) -> bool:
    """Returns whether `answer` is a Python literal, or a syntax error, so that `eval` runs nothing."""
    try:
        tree = ast.parse(answer.strip(), mode="eval")
    except SyntaxError:
        return True
    except (ValueError, RecursionError, MemoryError):
        return False
    allowed = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Constant, ast.Load)
    return all(
        isinstance(node, allowed) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)))
        for node in _below(tree)
        if not isinstance(node, ast.unaryop)
    )


def is_arithmetic(answer: str) -> bool:
    """Returns whether `answer` consists of numbers, + - * / and brackets."""
    return _ARITHMETIC.fullmatch(answer) is not None and _is_formula(answer, powers=False, functions=frozenset())


def is_polynomial(answer: str) -> bool:
    """Returns whether `answer` consists of numbers, one-letter names, and + - * / **."""
    return _FORMULA.fullmatch(answer) is not None and _is_formula(answer, powers=True, functions=frozenset())


def is_formula(answer: str) -> bool:
    """Returns whether `answer` is such a polynomial, with calls of `FUNCTIONS` allowed."""
    return _FORMULA.fullmatch(answer) is not None and _is_formula(answer, powers=True, functions=FUNCTIONS)


SAFE_ANSWER: dict[str, Callable[[str], bool]] = {
    "binary_matrix": is_literal,
    "countdown": is_arithmetic,
    "intermediate_integration": is_formula,
    "n_queens": is_literal,
    "polynomial_multiplication": is_polynomial,
    "simple_integration": is_formula,
    "spiral_matrix": is_literal,
    "string_insertion": is_literal,
}
"""The check for answers to each task whose verifier evaluates them."""


def is_safe(task: str, answer: str, reference: str | None = None) -> bool:
    """Returns whether `answer` is safe for the verifier of `task`; always true if it evaluates no answers.

    Verifiers that read a literal first compare the answer with the reference, and do not evaluate an equal one.
    """
    safe = SAFE_ANSWER.get(task)
    if safe is None or (safe is is_literal and reference is not None and answer == reference.strip()):
        return True
    return len(answer) <= MOST_CHARACTERS and safe(answer)


def _is_small(exponent: ast.expr) -> bool:
    """Returns whether an exponent contains no power, and no number above `LARGEST_EXPONENT`."""
    numbers = [node.value for node in ast.walk(exponent) if isinstance(node, ast.Constant)]
    return not any(isinstance(node, ast.Pow) for node in ast.walk(exponent)) and all(
        isinstance(number, (int, float)) and number <= LARGEST_EXPONENT for number in numbers
    )


def _below(tree: ast.Expression) -> list[ast.AST]:
    return [node for node in ast.walk(tree) if node is not tree]


def _is_formula(answer: str, *, powers: bool, functions: frozenset[str]) -> bool:
    try:
        tree = ast.parse(answer.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}

    def fits(node: ast.AST) -> bool:
        if isinstance(node, ast.Constant):
            return type(node.value) in (int, float)
        if isinstance(node, ast.Name):
            return node.id in functions if id(node) in called else _NAME.fullmatch(node.id) is not None
        if isinstance(node, ast.Call):
            return isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, _SIGNS) or (powers and isinstance(node.op, ast.Pow) and _is_small(node.right))
        if isinstance(node, ast.UnaryOp):
            return isinstance(node.op, (ast.USub, ast.UAdd))
        return isinstance(node, (ast.operator, ast.unaryop, ast.Load))

    return all(map(fits, _below(tree)))
