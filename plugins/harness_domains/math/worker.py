"""The process that compares answers: a pair of texts a line on the standard input, a verdict a line on the output.

It runs apart because an answer such as 9^9^9^9 keeps the interpreter inside one call that no signal ends, and because
math-verify's own timeouts need signals, which only a main thread can have. Whoever started it kills it when it is late.
"""

from __future__ import annotations

import json
import logging
import resource
import sys

from harness_domains.math.comparison import UnreadableReferenceError, check_reference, same_answer

MEMORY = 4 * 1024**3
"""Bytes of address space: a huge number ends as an error here and not as a machine that swaps."""


def verdict(reference: str, answer: str | None) -> dict[str, str]:
    """Returns `verdict`: right, wrong, or error with a `detail` where the reference cannot be read. None is no answer,
    for which the reference is read all the same."""
    try:
        if answer is None:
            check_reference(reference)
            return {"verdict": "wrong"}
        right = same_answer(reference, answer)
    except UnreadableReferenceError as error:
        return {"verdict": "error", "detail": str(error)}
    return {"verdict": "right" if right else "wrong"}


def main() -> None:
    """Answers until the input ends."""
    logging.disable(logging.CRITICAL)  # math-verify warns of the timeouts that are left to the caller
    if sys.platform == "linux":  # elsewhere the limit is refused
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    verdict("1", "1")  # the imports are done before the first answer is timed
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        reference, answer = json.loads(line)
        print(json.dumps(verdict(reference, answer)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
