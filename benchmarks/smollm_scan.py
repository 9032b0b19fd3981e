"""One setting of the protocol `smollm`, trained and scored on training prompts only: for choosing settings.

    python benchmarks/smollm_scan.py -o scans [--learning-rate 1e-4] [--steps 30] [--order math,qa,writing,code]
                                     [--protocol smollm-lora] [--limit 96] [--seed 0]

The test items of the protocol are not read. A quarter of each domain's training rows is held back from training, for
code whole functions, and scores every checkpoint. The table has these scores before and after each stage, and the
reward at the beginning and at the end of each training. Settings share the store of the output folder, so the base
model is scored once, and stages that two settings have in common are trained once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

import harness
import harness_smollm

HELD_BACK = 4
"""One group of rows in this many is held back."""
FILES = {
    "code": ("code_train.jsonl", "text", lambda domain: domain["mbpp"], "data_files"),
    "math": ("math_train.jsonl", "question", lambda domain: domain, "test_files"),
    "qa": ("qa_train.jsonl", "passage", lambda domain: domain, "test_files"),
    "writing": ("writing_train.jsonl", "prompt", lambda domain: domain["test"], "data_files"),
}
"""Each domain's training file, the column whose values are in one part only, and where the held-back file is named."""


def main() -> None:
    """Runs the setting and prints its table; with `--json FILE`, writes the numbers too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("scans"), help="folder of the runs and their data")
    parser.add_argument("--protocol", default="smollm", help="smollm, or smollm-lora for adapters")
    parser.add_argument("--order", default="code,math,qa,writing", help="the domains to train, in turn")
    parser.add_argument("--learning-rate", type=float, help="default: the protocol's")
    parser.add_argument("--steps", type=int, help="of each training; default: the protocol's")
    parser.add_argument("--prompts-per-step", type=int, help="default: the protocol's")
    parser.add_argument("--generations", type=int, help="completions per prompt; default: the protocol's")
    parser.add_argument("--limit", type=int, default=96, help="held-back items that score a domain")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    arguments = parser.parse_args()
    folder = arguments.output.resolve()
    text = yaml.safe_dump(setting(arguments, folder), sort_keys=False)
    path = folder / f"scan-{hashlib.sha256(text.encode()).hexdigest()[:8]}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    run = harness.run(path, output=folder / "runs", jobs=1)
    found = {"setting": {**vars(arguments), "output": str(folder), "json": None}, "stages": stages(run)}
    print("\n".join(table(found["stages"])))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def setting(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Returns the protocol of the setting, and writes its data files to `folder`."""
    protocol = yaml.safe_load((harness_smollm.FOLDER / f"{arguments.protocol}.yaml").read_text(encoding="utf-8"))
    order = arguments.order.split(",")
    if unknown := set(order) - set(FILES):
        sys.exit(f"error: no domain {', '.join(sorted(unknown))}; the domains are {', '.join(FILES)}")
    given = ("learning_rate", "steps", "prompts_per_step", "generations")
    protocol["train"] |= {key: value for key in given if (value := getattr(arguments, key)) is not None}
    protocol["evaluate"] = {**protocol["evaluate"], "limit": arguments.limit}
    protocol["evaluate"].pop("columns", None)
    for name, (file, column, held, key) in FILES.items():
        domain = protocol["domains"][name]
        trained, held_back = split(harness_smollm.FOLDER / "data" / file, column)
        domain["data_files"] = str(written(folder / "data" / file, trained))
        held(domain)[key] = str(written(folder / "data" / file.replace("train", "held_back"), held_back))
    return {**protocol, "name": "scan", "seeds": [arguments.seed], "methods": {"sequential": order}}


def split(file: Path, column: str) -> tuple[list[str], list[str]]:
    """Returns the lines to train on and those that are held back. Lines with the same value of `column` stay together,
    and where they go depends on this value only."""
    parts: tuple[list[str], list[str]] = ([], [])
    for line in file.read_text(encoding="utf-8").splitlines():
        digest = hashlib.sha256(json.loads(line)[column].encode()).digest()
        parts[digest[0] % HELD_BACK == 0].append(line)
    return parts


def written(path: Path, lines: Sequence[str]) -> Path:
    """Writes lines to a file and returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def stages(run: harness.Run) -> list[dict[str, Any]]:
    """Returns each checkpoint's label, its scores on held-back training prompts in percent, and the mean reward of the
    first and the last quarter of its training's steps."""
    [row] = [row for row in json.loads((run.folder / "leaderboard.json").read_text())["rows"] if not row["reference"]]
    found = []
    for number, step in enumerate(row["trajectory"]):
        scores = {name: round(cell["mean"], 1) for name, cell in step["scores"].items()}
        rewards: dict[str, float] = {}
        if number:
            values = run.metrics("sequential", step=number)["reward"].to_list()
            quarter = max(1, len(values) // 4)
            rewards = {"first": sum(values[:quarter]) / quarter, "last": sum(values[-quarter:]) / quarter}
        found.append({"after": step["label"], "scores": scores, "reward": rewards})
    return found


def table(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the stages as a Markdown table."""
    names = list(found[0]["scores"])
    lines = [
        f"| after | {' | '.join(names)} | average | reward, first → last quarter |",
        "|---" * (len(names) + 3) + "|",
    ]
    for stage in found:
        cells = [f"{stage['scores'][name]:.1f}" for name in names]
        average = sum(stage["scores"].values()) / len(names)
        reward = "{first:.2f} → {last:.2f}".format(**stage["reward"]) if stage["reward"] else ""
        lines.append(f"| {stage['after']} | {' | '.join(cells)} | {average:.1f} | {reward} |")
    return lines


if __name__ == "__main__":
    main()
