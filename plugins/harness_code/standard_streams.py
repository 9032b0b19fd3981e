"""Tests of programs that read standard input and write standard output."""

from __future__ import annotations

OUTPUT, SYNTAX = "_harness_output.buffer.getvalue().decode('utf-8', 'replace')", "_harness_syntax"
"""Expressions of what a job made by `job_code` leaves: what was written, and the fault of a program that does not
compile or None."""

_TEMPLATE = """
import builtins as _harness_builtins, io as _harness_io, sys as _harness_sys
_harness_output = _harness_io.TextIOWrapper(_harness_io.BytesIO(), encoding='utf-8', write_through=True)
_harness_input = _harness_io.TextIOWrapper(_harness_io.BytesIO({given!r}.encode()), encoding='utf-8')
_harness_syntax = None
def _harness_run():
    global _harness_syntax
    try:
        code = compile({program!r}, 'program', 'exec', dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        _harness_syntax = str(error)
        return
    opened, streams = _harness_builtins.open, (_harness_sys.stdin, _harness_sys.stdout)
    def open_file(file, *arguments, **named):
        return _harness_input if file == 0 else opened(file, *arguments, **named)
    _harness_builtins.open = open_file
    _harness_sys.stdin, _harness_sys.stdout = _harness_input, _harness_output
    try:
        exec(code, {{'__name__': '__main__', '__builtins__': _harness_builtins}})
    except SystemExit:
        pass
    finally:
        _harness_builtins.open = opened
        _harness_sys.stdin, _harness_sys.stdout = streams
_harness_run()
"""


def job_code(program: str, given: str) -> str:
    """Returns code that runs `program` as a script with the standard input `given`, in memory."""
    return _TEMPLATE.format(program=program, given=given)


def same_output(written: str, expected: str) -> bool:
    """Returns whether two outputs agree but for spaces at the ends of lines and empty lines around them."""
    return _lines(written) == _lines(expected)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]
