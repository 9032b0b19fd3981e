"""Errors that can be known before the first step are reported before it.

Builds one wrong protocol per row in a temporary folder, with a random model of a few thousand weights, and runs the
real command: `harness validate` where the protocol and the installed packages suffice, else `harness run`. Prints a
table: number, error, command, exit code, seconds, and the first line of the message. A row is right if the exit code is
2, the message names the error, and the run started no step and stored nothing. Exits with 1 where a row is wrong.

    python benchmarks/late_errors.py [NUMBER …]
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

VALIDATE, RUN = "validate", "run"
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
EMBEDDINGS = "model.embed_tokens.weight"


@dataclass(frozen=True, kw_only=True)
class Row:
    """An error: the values it changes in the right protocol, and what its message says.

    rows: the rows of the data file, None for 40 sums. model: changes the folder of the base model.
    """

    title: str
    command: str
    says: str
    domain: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)
    evaluate: Mapping[str, Any] = field(default_factory=dict)
    rows: list[dict[str, str]] | None = None
    model: Callable[[Path], None] | None = None


@dataclass(frozen=True, kw_only=True)
class Printed:
    """What a command did: its exit code, seconds, message, the steps it started and the results it stored."""

    code: int
    seconds: float
    message: str
    started: int
    stored: int

    def is_right(self, says: str) -> bool:
        """Returns whether the error was reported before the first step."""
        told = says in self.message and "Traceback" not in self.message
        return told and (self.code, self.started, self.stored) == (2, 0, 0)


def main() -> None:
    """Runs the rows that are named, or all of them, and prints the table."""
    numbers = set(map(int, sys.argv[1:]))
    wrong = []
    print("| | error | command | exit code | s | message |\n|---|---|---|---|---|---|")
    with unanswered_port() as port, tempfile.TemporaryDirectory(prefix="late-errors-") as temporary:
        base = right_model(Path(temporary) / "base")
        control = Row(title="nothing is wrong", command="validate --deep", says="")
        for number, row in enumerate([control, *late_errors(port)]):
            if number and numbers and number not in numbers:
                continue
            folder = Path(temporary) / str(number)
            printed = run(row, write(row, folder, base))
            first, *_ = printed.message.replace(f"{folder}/", "").replace("|", r"\|").splitlines() or [""]
            cells = [number, row.title, f"`{row.command}`", printed.code, f"{printed.seconds:.1f}", f"{first:.180}"]
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
            if not (printed.is_right(row.says) if number else printed.code == 0):
                wrong.append((number, printed))
    for number, printed in wrong:
        print(f"\nrow {number} is wrong: {printed}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


def late_errors(port: int) -> Iterator[Row]:
    """Yields the errors. port: nothing answers there."""
    yield Row(title="vLLM is not installed", command=VALIDATE, says="package vllm", train={"trl": {"use_vllm": True}})
    yield Row(
        title="wandb is not installed", command=VALIDATE, says="package wandb", train={"trl": {"report_to": ["wandb"]}}
    )
    yield Row(
        title="the optimizer's package is not installed",
        command=VALIDATE,
        says="package bitsandbytes",
        train={"trl": {"optim": "adamw_bnb_8bit"}},
    )
    yield Row(
        title="a data file is missing",
        command=VALIDATE,
        says="nowhere.jsonl",
        domain={"data_files": "nowhere.jsonl"},
    )
    yield Row(
        title="chat prompts, scored without the template",
        command=VALIDATE,
        says="chat_template",
        domain={"format": "chat"},
        evaluate={"chat_template": False},
        model=chat_template,
    )
    yield Row(
        title="a misspelt name of TRL's settings",
        command=VALIDATE,
        says="did you mean epsilon",
        train={"trl": {"epsilonn": 0.2}},
    )
    yield Row(
        title="the model has no chat template",
        command=RUN,
        says="has no chat template",
        domain={"format": "chat"},
    )
    yield Row(
        title="an output layer unlike its tied embeddings",
        command=RUN,
        says="tie_word_embeddings",
        model=output_layer_of_its_own,
    )
    yield Row(
        title="prompts are mostly unknown tokens",
        command=RUN,
        says="unknown to the base model's tokenizer",
        rows=[{"prompt": f"数学の問題 {number}", "answer": "1"} for number in range(40)],
    )
    yield Row(
        title="no test rows are left",
        command=RUN,
        says="rows are left",
        rows=[{"prompt": "1 + 1 =", "answer": "2"}] * 5,
    )
    yield Row(
        title="a task that lm-eval does not know",
        command=RUN,
        says="does not know the task gsm8kk",
        domain={
            "use": "math", "format": "plain", "source": "gsm8k", "problem_column": "prompt", "answer_column": "answer",
            "answer_form": "whole", "stock_tasks": [{"task": "gsm8kk", "metric": "exact_match"}],
        },
    )  # fmt: skip
    judge = {"model": "m", "endpoint": f"http://127.0.0.1:{port}/v1"}
    yield Row(
        title="a judge does not answer",
        command=RUN,
        says="cannot be reached",
        domain={"use": "chat", "format": "plain", "judge": judge, "reward": {"use": "judge", **judge}, "test_items": 4},
        rows=[{"prompt": f"Write {number}"} for number in range(80)],
    )
    yield Row(
        title="batch sizes do not divide",
        command=RUN,
        says="cannot be split into passes of 3",
        train={"completions_per_device": 3},
    )
    yield Row(
        title="completions are too long for the model",
        command=RUN,
        says="more than the 64 that the base model takes",
        domain={"completion_tokens": 80},
    )
    yield Row(
        title="a setting that TRL refuses",
        command=RUN,
        says="TRL refuses the settings",
        train={"trl": {"lr_scheduler_type": "zigzag"}},
    )
    yield Row(
        title="a column that the reward needs is missing",
        command=RUN,
        says="solution",
        domain={"reward": {"use": "contains", "answer_column": "solution"}},
    )
    yield Row(
        title="weights are missing from the model",
        command=RUN,
        says="are missing",
        model=partial(changed_weights, change=lambda weights: weights.pop("model.layers.1.mlp.up_proj.weight")),
    )


def right_model(folder: Path) -> Path:
    """Writes the base model that the rows change. Returns its folder."""
    from transformers.utils import logging

    from harness.testing import tiny_checkpoint

    logging.disable_progress_bar()
    return tiny_checkpoint(folder)


def write(row: Row, folder: Path, base: Path) -> Path:
    """Writes the row's model, data and protocol to `folder`. Returns the protocol's path."""
    shutil.copytree(base, folder / "base")
    if row.model is not None:
        row.model(folder / "base")
    sums = [{"prompt": f"{number} + 1 =", "answer": str(number + 1)} for number in range(40)]
    lines = [json.dumps(entry) + "\n" for entry in (sums if row.rows is None else row.rows)]
    (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    protocol = {
        "schema": 1,
        "name": "wrong",
        "model": {"pretrained": "./base"},
        "domains": {"d": {"use": "jsonl", "data_files": "rows.jsonl", "completion_tokens": 4, **row.domain}},
        "train": {"steps": 1, "prompts_per_step": 4, "generations": 4, **row.train},
        "methods": {"m": ["d"]},
    }
    path = folder / "wrong.yaml"
    path.write_text(json.dumps(protocol | ({"evaluate": row.evaluate} if row.evaluate else {}), indent=1))
    return path


def run(row: Row, protocol: Path) -> Printed:
    """Runs the row's command on the protocol in a process of its own."""
    runs = protocol.parent / "runs"
    output = ["-o", str(runs)] if row.command == RUN else []
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "harness", *row.command.split(), str(protocol), *output],
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        cwd=protocol.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - begin
    events = [json.loads(line) for log in runs.glob("*/events.jsonl") for line in log.read_text().splitlines()]
    started = sum(event["event"] == "step_started" for event in events)
    stored = len(list(runs.glob("store/*/DONE.json")))
    message = done.stderr[max(0, done.stderr.find("error: ")) :]
    return Printed(code=done.returncode, seconds=seconds, message=message, started=started, stored=stored)


def chat_template(folder: Path) -> None:
    """Gives the model's tokenizer a chat template."""
    (folder / "chat_template.jinja").write_text(TEMPLATE)


def output_layer_of_its_own(folder: Path) -> None:
    """Ties the output layer to the embeddings in the config, and stores another tensor."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    changed_weights(folder, lambda weights: weights.update({"lm_head.weight": weights[EMBEDDINGS] + 0.1}))


def changed_weights(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Applies `change` to the stored tensors, by name."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


@contextmanager
def unanswered_port() -> Iterator[int]:
    """Yields a port of this machine that refuses connections until the block ends."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        yield taken.getsockname()[1]


if __name__ == "__main__":
    main()
