"""The process that compares answers: it reads a pair of texts per line from stdin and writes a verdict per line.

It is a separate process because an answer such as 9^9^9^9 keeps the interpreter in a call that no signal interrupts,
and because math-verify's time-outs need signals, which work only in a main thread. The parent kills it after the time
limit.
"""

from __future__ import annotations

import json
import logging
import resource
import sys

from harness_domains.math.comparison import UnreadableReferenceError, check_reference, same_answer

MEMORY = 4 * 1024**3
"""The limit on address space in bytes, so that a huge number causes an error instead of swapping."""


def verdict(reference: str, answer: str | None) -> dict[str, str]:
    """Returns `verdict`: right, wrong, or error with a `detail` if the reference cannot be read. answer: None for no
    answer; the reference is still read."""
    try:
        if answer is None:
            check_reference(reference)
            return {"verdict": "wrong"}
        right = same_answer(reference, answer)
    except UnreadableReferenceError as error:
        return {"verdict": "error", "detail": str(error)}
    return {"verdict": "right" if right else "wrong"}


def main() -> None:
    """Answers requests until the input ends."""
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
