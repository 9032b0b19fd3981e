"""Assembles the module to run: the problem's prefix, the program, the problem's suffix."""

from __future__ import annotations

import re

from harness_domains.code.problem import Problem

_AT_THE_TOP = re.compile(
    r"""(?: [ \t]*(?:\#[^\n]*)?\n                                  # empty lines and comments
          | [rR]?(?:'''(?:[^'\\]|\\.|'(?!''))*'''|\"\"\"(?:[^"\\]|\\.|"(?!""))*\"\"\"|'[^'\n]*'|"[^"\n]*")[ \t;]*\n
          | from[ \t]+__future__[ \t]+import[ \t]*(?:\([^()]*\)|[^\n;()]*)[ \t;]*(?:\#[^\n]*)?(?:\n|$)
        )*+""",
    re.VERBOSE | re.DOTALL,
)
"""What may precede the last import from `__future__` of a module, and that import. The match never backtracks."""
_FUTURE = re.compile(r"^from[ \t]+__future__[ \t]+import[ \t]*(?:\([^()]*\)|[^\n;()#]*)", re.MULTILINE)


def whole_program(program: str, problem: Problem) -> str:
    """Returns prefix, program and suffix as one module.

    Imports from `__future__` at the top of the program are moved to the front, where Python requires them.
    """
    futures: list[str] = []
    if problem.prefix and "__future__" in program:
        program = program.replace("\r\n", "\n")
        top = _AT_THE_TOP.match(program)
        end = top.end() if top else 0
        futures = _FUTURE.findall(program[:end])
        program = _FUTURE.sub("", program[:end]) + program[end:]
    return "\n".join([*futures, problem.prefix, program, problem.suffix])
