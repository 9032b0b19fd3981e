"""The harness against a plain script that does the same trainings and evaluations with TRL and lm-eval alone.

    python benchmarks/overhead.py [--protocol overhead-smollm] [--pairs 3] [--json FILE]

The two take turns as child processes of this one, each time in a fresh folder. The target is a ratio of the median wall
times of at most 1.10. The result also has the seconds and the ratio of the trainings and of the evaluations, whose
target for a real model (`--protocol overhead-smollm`) is 1.05.
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
from pathlib import Path

HERE = Path(__file__).parent
LIMIT = 1.10


def main() -> None:
    """Measures, prints the result as JSON, and exits with 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", default="overhead", choices=("overhead", "overhead-smollm"))
    parser.add_argument("--pairs", type=int, default=3, help="how often each is run")
    parser.add_argument("--json", type=Path, help="write the result there too")
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {"plain": [], "harness": []}
    parts: dict[str, dict[str, list[float]]] = {
        side: {part: [] for part in ("train", "evaluate")} for side in ("plain", "harness")
    }
    scores: dict[str, object] = {}
    for number in range(arguments.pairs):
        order = ("plain", "harness") if number % 2 == 0 else ("harness", "plain")
        for side in order:
            with tempfile.TemporaryDirectory() as folder:
                seconds[side].append(wall_seconds(command(side, arguments.protocol, Path(folder))))
                for part, value in seconds_of(side, Path(folder)).items():
                    parts[side][part].append(value)
                scores[side] = scores_of(side, Path(folder))
            print(f"pair {number + 1}: {side} {seconds[side][-1]:.1f} s", file=sys.stderr)
    ratio = statistics.median(seconds["harness"]) / statistics.median(seconds["plain"])
    result = {
        "pairs": arguments.pairs,
        "cpus": os.cpu_count(),
        "seconds": {side: [round(value, 2) for value in values] for side, values in seconds.items()},
        "ratio_of_medians": round(ratio, 4),
        "ratio_of_each_pair": [round(h / p, 4) for h, p in zip(seconds["harness"], seconds["plain"], strict=True)],
        "parts": {
            part: {
                **{side: [round(value, 2) for value in parts[side][part]] for side in parts},
                "ratio_of_medians": round(
                    statistics.median(parts["harness"][part]) / statistics.median(parts["plain"][part]), 4
                ),
            }
            for part in ("train", "evaluate")
        },
        "protocol": arguments.protocol,
        "limit": LIMIT,
        "met": ratio <= LIMIT,
        "scores": scores,
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if result["met"] else 1)


def command(side: str, protocol: str, folder: Path) -> list[str]:
    """Returns the command of one side, its results going to `folder`."""
    if side == "plain":
        return [sys.executable, str(HERE / "plain_script.py"), str(folder), protocol]
    # One step at a time on all cores, like the plain script.
    one = ["--jobs", "1", "--threads", str(os.cpu_count())]
    return [sys.executable, "-m", "harness", "run", str(HERE / f"{protocol}.yaml"), "-o", str(folder), *one]


def wall_seconds(words: list[str]) -> float:
    """Returns how long a command took; ends this process, showing what the command printed, where it fails."""
    started = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"error: {' '.join(words)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return elapsed


def seconds_of(side: str, folder: Path) -> dict[str, float]:
    """Returns how long the trainings and the evaluations of one side took in sum."""
    if side == "plain":
        return {part: sum(values) for part, values in json.loads((folder / "seconds.json").read_text()).items()}
    found = {"train": 0.0, "evaluate": 0.0}
    [events] = folder.glob("*/events.jsonl")
    for event in map(json.loads, events.read_text().splitlines()):
        if event.get("event") == "step_finished":
            found[event["kind"]] += event["seconds"]
    return found


def scores_of(side: str, folder: Path) -> object:
    """Returns what one side measured, to see that both did the same work."""
    if side == "plain":
        return json.loads((folder / "scores.json").read_text())
    import polars

    frames = [polars.read_parquet(path) for path in folder.glob("*/scores.parquet")]
    rows = polars.concat(frames).filter(polars.col("primary")).sort("step", "domain").iter_rows(named=True)
    scores: dict[str, dict[str, float]] = {}
    for row in rows:
        scores.setdefault(f"step {row['step']}", {})[row["domain"]] = row["value"]
    return scores


if __name__ == "__main__":
    main()
