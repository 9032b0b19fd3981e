"""Wall time of a protocol beside busy loops, over its time on the quiet machine.

    python benchmarks/busy.py [--protocol lab] [--loops 2] [--rounds 1] [--json FILE]

Each round runs the protocol three times in fresh processes and folders: quiet with threads that spin, as OpenMP has it
unless told otherwise; quiet with the harness's own settings; and with those beside as many busy loops. Targets: busy at
most 2.5 times quiet, and quiet at most 1.05 times spinning. `--protocol smoke` is a short look.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from startup import harness_command

BUSY_LIMIT, QUIET_LIMIT = 2.5, 1.05
SPINNING = {"GOMP_SPINCOUNT": "300000"}  # libgomp's own default
VARIANTS: Mapping[str, tuple[Mapping[str, str], bool]] = {
    "spinning": (SPINNING, False),
    "quiet": ({}, False),
    "busy": ({}, True),
}


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", default="lab", help="a path, or the name of a packaged protocol")
    parser.add_argument("--loops", type=int, default=2, help="busy loops")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the result there too")
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for number in range(arguments.rounds):
        for name, (environment, busy) in VARIANTS.items():
            with busy_loops(arguments.loops if busy else 0):
                seconds[name].append(wall_seconds(arguments.protocol, environment))
            print(f"round {number + 1}: {name} {seconds[name][-1]:.1f} s", file=sys.stderr)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    busy_ratio, quiet_ratio = median["busy"] / median["quiet"], median["quiet"] / median["spinning"]
    result = {
        "protocol": arguments.protocol,
        "cpus": os.cpu_count(),
        "loops": arguments.loops,
        "seconds": {name: [round(value, 2) for value in values] for name, values in seconds.items()},
        "busy_over_quiet": round(busy_ratio, 3),
        "busy_limit": BUSY_LIMIT,
        "quiet_over_spinning": round(quiet_ratio, 3),
        "quiet_limit": QUIET_LIMIT,
        "met": busy_ratio <= BUSY_LIMIT and quiet_ratio <= QUIET_LIMIT,
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if result["met"] else 1)


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Keeps `count` processes busy within it."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def wall_seconds(protocol: str, environment: Mapping[str, str]) -> float:
    """Returns how long a run of the protocol took; ends this process where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        words = [str(harness_command()), "run", protocol, "-o", folder]
        started = time.perf_counter()
        done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True, check=False)
        elapsed = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"error: {' '.join(words)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return elapsed


if __name__ == "__main__":
    main()
