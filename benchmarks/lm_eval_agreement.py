"""Is the leaderboard's number lm-eval's number? Exports a checkpoint and runs the `lm-eval` commands of its model card.

    python benchmarks/lm_eval_agreement.py RUN METHOD [--seed 0]

For every task of the run it prints the leaderboard's value and the command's, and exits 1 where two differ. The run has
the backend `hf`: the others do not sample the same answers twice.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars

COMMAND = re.compile(r"^# (?P<column>.+)\n(?P<command>lm-eval run .* --tasks (?P<task>\S+))$", re.MULTILINE)
"""A command of the card, below its column."""


def main() -> int:
    """Returns the exit code: 1 where two values differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("method")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    measured = json.loads((arguments.run / "leaderboard.json").read_text())["measurement"]
    # The backend's name, then its arguments: "hf, dtype=bfloat16".
    if other := {one["backend"].partition(",")[0] for one in measured.values()} - {"hf"}:
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
        card = (model / "README.md").read_text(encoding="utf-8")
        commands = {(found["column"], found["task"]): found["command"] for found in COMMAND.finditer(card)}
        for row in last.sort("domain").iter_rows(named=True):
            value = printed(commands[row["domain"], row["task"]], model, row, Path(scratch) / row["domain"])
            differ += value != row["value"]
            print(f"{row['domain']:10} harness {row['value']:.6f}   lm-eval {value:.6f}", flush=True)
    print("all equal" if not differ else f"{differ} differ")
    return int(differ > 0)


def printed(command: str, model: Path, row: dict[str, Any], output: Path) -> float:
    """Returns the value of the row's metric that the command prints, run in the model's folder."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    words = f"{command} --output_path {output}"
    done = subprocess.run(words, shell=True, check=False, cwd=model, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{words}\n{done.stderr[-3000:]}")
    (results,) = output.rglob("results_*.json")
    return json.loads(results.read_text())["results"][row["task"]][f"{row['metric']},{row['filter']}"]


if __name__ == "__main__":
    sys.exit(main())
