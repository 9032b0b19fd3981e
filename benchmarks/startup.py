"""Wall time of `harness plugins list` beside a bare interpreter's, and whether anything heavy was imported.

    python benchmarks/startup.py [--repeats 20] [--json FILE]

The two commands take turns, so that whatever else the machine does meets both alike. Targets: a median of at most
0.6 s, and no torch in `sys.modules`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

LIMIT_SECONDS = 0.6
HEAVY = ("torch", "transformers", "trl", "datasets", "lm_eval", "polars", "great_tables")


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write the result there too")
    arguments = parser.parse_args()
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "harness": [str(harness_command()), "plugins", "list"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(arguments.repeats):
        for name, command in commands.items():
            seconds[name].append(wall_seconds(command))
    median = statistics.median(seconds["harness"])
    imported = heavy_imports()
    result = {
        "repeats": arguments.repeats,
        "bare_python_median_seconds": round(statistics.median(seconds["python"]), 4),
        "plugins_list_median_seconds": round(median, 4),
        "plugins_list_slowest_seconds": round(max(seconds["harness"]), 4),
        "limit_seconds": LIMIT_SECONDS,
        "heavy_imports": imported,
        "met": median <= LIMIT_SECONDS and not imported,
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if result["met"] else 1)


def harness_command() -> Path:
    """Returns the command that stands beside this interpreter."""
    found = shutil.which("harness", path=str(Path(sys.executable).parent))
    if found is None:
        sys.exit("error: no `harness` beside this interpreter; run this with .venv/bin/python")
    return Path(found)


def wall_seconds(command: list[str]) -> float:
    """Returns how long the command took. Raises CalledProcessError where it fails."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def heavy_imports() -> list[str]:
    """Returns which heavy packages `harness plugins list` has imported when it ends."""
    code = (
        "import sys\nfrom harness.cli import main\nsys.argv = ['harness', 'plugins', 'list']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1].split()


if __name__ == "__main__":
    main()
