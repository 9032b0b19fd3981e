"""The harness against a plain script that does the same trainings and evaluations with TRL and lm-eval alone.

    python benchmarks/overhead.py [--pairs 3] [--json FILE]

The two take turns as child processes of this one, each time in a fresh folder. The target is a ratio of the median wall
times of at most 1.10.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
LIMIT = 1.10


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3, help="how often each is run")
    parser.add_argument("--json", type=Path, help="write the result there too")
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {"plain": [], "harness": []}
    scores: dict[str, object] = {}
    for number in range(arguments.pairs):
        order = ("plain", "harness") if number % 2 == 0 else ("harness", "plain")
        for side in order:
            with tempfile.TemporaryDirectory() as folder:
                seconds[side].append(wall_seconds(command(side, Path(folder))))
                scores[side] = scores_of(side, Path(folder))
            print(f"pair {number + 1}: {side} {seconds[side][-1]:.1f} s", file=sys.stderr)
    ratio = statistics.median(seconds["harness"]) / statistics.median(seconds["plain"])
    result = {
        "pairs": arguments.pairs,
        "cpus": os.cpu_count(),
        "seconds": {side: [round(value, 2) for value in values] for side, values in seconds.items()},
        "ratio_of_medians": round(ratio, 4),
        "ratio_of_each_pair": [round(h / p, 4) for h, p in zip(seconds["harness"], seconds["plain"], strict=True)],
        "limit": LIMIT,
        "met": ratio <= LIMIT,
        "scores": scores,
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if result["met"] else 1)


def command(side: str, folder: Path) -> list[str]:
    """Returns the command of one side, its results going to `folder`."""
    if side == "plain":
        return [sys.executable, str(HERE / "plain_script.py"), str(folder)]
    harness = shutil.which("harness", path=str(Path(sys.executable).parent))
    if harness is None:
        sys.exit("error: no `harness` beside this interpreter; run this with .venv/bin/python")
    # One step at a time on all cores, like the plain script.
    one = ["--jobs", "1", "--threads", str(os.cpu_count())]
    return [harness, "run", str(HERE / "overhead.yaml"), "-o", str(folder), *one]


def wall_seconds(words: list[str]) -> float:
    """Returns how long a command took; ends this process, showing what the command printed, where it fails."""
    started = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"error: {' '.join(words)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return elapsed


def scores_of(side: str, folder: Path) -> object:
    """Returns what one side measured, to see that both did the same work."""
    if side == "plain":
        return json.loads((folder / "scores.json").read_text())
    import polars

    frames = [polars.read_parquet(path) for path in folder.glob("*/scores.parquet")]
    rows = polars.concat(frames).sort("step", "task").iter_rows(named=True)
    scores: dict[str, dict[str, float]] = {}
    for row in rows:
        scores.setdefault(f"step {row['step']}", {})[row["task"]] = row["value"]
    return scores


if __name__ == "__main__":
    main()
