"""Answers that a verifier evaluates as Python: which ones are safe to hand over.

Eight verifiers call `eval` on what the model wrote, or SymPy's `parse_expr`, which is `eval` behind a tokenizer. So an
answer reaches them only where it is all of a small language without names to call, attributes or subscripts: a literal,
arithmetic, a polynomial, a formula. Anything else is to the verifier no answer at all, and nothing of it is run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

MOST_CHARACTERS = 4000
"""Beyond this an answer of these tasks is refused: parsers take long, or recurse too deep, on endless ones."""

FUNCTIONS = frozenset(
    {
        *("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "acot", "asec", "acsc"),
        *("sinh", "cosh", "tanh", "coth", "asinh", "acosh", "atanh", "exp", "log", "ln", "sqrt", "Abs", "erf"),
    }
)
"""What a formula may call: SymPy's elementary functions, and the error function, by their names there."""

LARGEST_EXPONENT = 100
"""A power of it is computed at once, and a tower of powers never."""

_ARITHMETIC = re.compile(r"[\d\s.()+\-*/]*")
_FORMULA = re.compile(r"[\w\s.(),+\-*/]*", re.ASCII)
_NAME = re.compile(r"[A-Za-z]|pi")
_SIGNS = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def is_literal(answer: str) -> bool:
    """Returns whether Python would read `answer` as a literal, or not at all: then `eval` stops before it runs any."""
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
    """Returns whether `answer` is numbers under + - * / and brackets, and nothing else."""
    return _ARITHMETIC.fullmatch(answer) is not None and _is_formula(answer, powers=False, functions=frozenset())


def is_polynomial(answer: str) -> bool:
    """Returns whether `answer` is numbers and names of one letter under + - * / **, and nothing else."""
    return _FORMULA.fullmatch(answer) is not None and _is_formula(answer, powers=True, functions=frozenset())


def is_formula(answer: str) -> bool:
    """Returns whether `answer` is a polynomial in the above sense that may also call `FUNCTIONS`."""
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
"""By task, what its verifier may be handed."""


def is_safe(task: str, answer: str, reference: str | None = None) -> bool:
    """Returns whether the verifier of `task` may be handed `answer`: always, where it evaluates no answers.

    Those that look for a literal compare the answer with the reference first, and evaluate none that is equal.
    """
    safe = SAFE_ANSWER.get(task)
    if safe is None or (safe is is_literal and reference is not None and answer == reference.strip()):
        return True
    return len(answer) <= MOST_CHARACTERS and safe(answer)


def _is_small(exponent: ast.expr) -> bool:
    """Returns whether an exponent has no power in it and no number above the largest."""
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
