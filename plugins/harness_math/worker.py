"""The process that compares answers: a pair of texts a line on the standard input, a verdict a line on the output.

It runs apart because an answer such as 9^9^9^9 keeps the interpreter inside one call that no signal ends, and because
math-verify's own timeouts need signals, which only a main thread can have. Whoever started it kills it when it is late.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from functools import lru_cache
from typing import Any

MEMORY = 4 * 1024**3
"""Bytes of address space: a huge number ends as an error here and not as a machine that swaps."""


@lru_cache(maxsize=4096)
def parsed(answer: str) -> list[Any]:
    """Returns what math-verify makes of an answer: the expression and its text, or nothing."""
    from math_verify import parse

    # In a box, because that is what math-verify looks for first; the caller's timeout takes the place of its own.
    expressions: list[Any] = parse(f"\\boxed{{{answer}}}", parsing_timeout=None, raise_on_error=True)
    return expressions


def verdict(reference: str, answer: str) -> dict[str, str]:
    """Returns `verdict`: right, wrong, or error with a `detail` where the reference cannot be read."""
    from math_verify import verify

    try:
        expected = parsed(reference)
    except Exception as error:  # sympy and antlr raise many kinds
        return {"verdict": "error", "detail": f"the reference {reference!r:.80} cannot be read: {error!r:.120}"}
    if all(isinstance(expression, str) for expression in expected):  # the text alone is left where parsing failed
        return {"verdict": "error", "detail": f"the reference {reference!r:.80} is no mathematical expression"}
    try:
        right = verify(expected, parsed(answer), timeout_seconds=None)
    except (Exception, RecursionError):  # an answer that cannot be read or compared is a wrong one
        right = False
    return {"verdict": "right" if right else "wrong"}


def main() -> None:
    """Answers until the input ends."""
    logging.disable(logging.CRITICAL)  # math-verify warns of the timeouts that are left to the caller
    if sys.platform == "linux":  # elsewhere the limit is refused
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    parsed("1")  # the imports are done before the first answer is timed
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        reference, answer = json.loads(line)
        print(json.dumps(verdict(reference, answer)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
