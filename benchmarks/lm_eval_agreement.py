"""Is the leaderboard's number lm-eval's number? Exports a checkpoint and asks the `lm-eval` command itself.

    python benchmarks/lm_eval_agreement.py RUN METHOD [--seed 0]

For every domain of the run it prints the task, the leaderboard's value and the command's, and exits 1 where two differ.
The run has the backend `hf`: the others do not sample the same answers twice.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import polars


def main() -> int:
    """Returns the exit code: 1 where two values differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("method")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", type=Path, default=Path("plugins/harness_lab/lm_eval_tasks"))
    arguments = parser.parse_args()
    measured = json.loads((arguments.run / "leaderboard.json").read_text())["measurement"]
    if other := {one["backend"] for one in measured.values()} - {"hf"}:
        raise SystemExit(f"the run was scored with {', '.join(other)}; only scores of hf are exact")
    scores = polars.read_parquet(arguments.run / "scores.parquet").filter(
        (polars.col("method") == arguments.method) & (polars.col("seed") == arguments.seed) & polars.col("primary")
    )
    last = scores.filter(polars.col("step") == polars.col("step").max())
    differ = 0
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model"
        export = ["export", str(arguments.run), arguments.method, str(model), "--seed", str(arguments.seed)]
        subprocess.run([sys.executable, "-m", "harness", *export], check=True, stdout=subprocess.DEVNULL)
        for row in last.sort("domain").iter_rows(named=True):
            value = command_value(model, row, arguments.tasks, Path(scratch) / row["task"])
            differ += value != row["value"]
            print(f"{row['task']:10} harness {row['value']:.6f}   lm-eval {value:.6f}", flush=True)
    print("all equal" if not differ else f"{differ} differ")
    return int(differ > 0)


def command_value(model: Path, row: dict, tasks: Path, output: Path) -> float:
    """Returns what `lm-eval` prints for the row's task, with the row's seed, limit and batch size."""
    command = [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args", f"pretrained={model}"]
    command += ["--tasks", row["task"], "--include_path", str(tasks), "--seed", str(row["eval_seed"])]
    command += ["--batch_size", str(row["batch_size"]), "--output_path", str(output)]
    command += ["--limit", str(row["limit"])] if row["limit"] is not None else []
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    (results,) = output.rglob("results_*.json")
    return json.loads(results.read_text())["results"][row["task"]][f"{row['metric']},{row['filter']}"]


if __name__ == "__main__":
    sys.exit(main())
