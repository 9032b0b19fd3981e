"""Evaluates a candidate expression in x without passing generated text to the interpreter.

The text is parsed and its tree is walked. Only integers, the name x, and the operators + - * are supported; everything
else is an error.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

MAX_CHARACTERS = 64
_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


class ExpressionError(ValueError):
    """The text is not an expression of the lab's language."""


def evaluate(text: str, x: int) -> int:
    """Returns the value of the expression `text` at `x`. Raises ExpressionError for anything outside the language."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"longer than {MAX_CHARACTERS} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError("not an expression") from error
    return _value(tree.body, x)


def _value(node: ast.expr, x: int) -> int:
    match node:
        case ast.Constant(value=int() as value) if type(value) is int:
            return value
        case ast.Name(id="x"):
            return x
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, x)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, x), _value(right, x))
        case _:
            raise ExpressionError(f"{type(node).__name__} has no meaning here")
