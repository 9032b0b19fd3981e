"""A finished run of the lab whose answers are made up: real definitions, tasks and samples, without a model."""

import hashlib
import json
import lzma
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lm_eval.api.model import LM

from harness.evaluation.lm_eval import evaluate_model, write_results
from harness.execution.leaderboard import build_leaderboard
from harness.execution.score_table import collect_scores, write_scores
from harness.execution.store import Store
from harness.planning.planner import make_plan
from harness.planning.serialization import plan_to_json
from harness.plugin.interfaces import TaskSet
from harness.plugin.registry import Registry
from harness.protocol import instance_of, load_protocol

PROTOCOL = """\
schema: 1
name: answered
summary: A run with made-up answers
model: {use: lab-tiny}
seeds: [0, 1]
domains:
  math: {use: lab-math, prompts: 64}
  qa:   {use: lab-qa, prompts: 64}
train: {with: grpo, steps: 2}
evaluate: {limit: 12, batch_size: 4}
methods:
  sequential: [math, qa]
  re-math:    [math, qa, {recover: math, with: refresh, steps: 1}]
"""


class Guesses(LM):
    """Answers an item correctly or with nonsense, decided by the name of a checkpoint; the first item is always wrong
    and the second always right."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def generate_until(self, requests, disable_tqdm=False):
        return [self._answer(request) for request in requests]

    loglikelihood = loglikelihood_rolling = generate_until

    def _answer(self, request) -> str:
        digest = hashlib.sha256(f"{self.name} {request.args[0]}".encode()).digest()
        right = request.doc_id == 1 or (request.doc_id != 0 and digest[0] % 3 > 0)
        return str(request.doc["answer"]) if right else "?"


@cache
def lab() -> Registry:
    return Registry.discover(only=["mdrl-harness"])


def answered_run(root: Path, text: str = PROTOCOL) -> Path:
    """Writes a run folder with its store to `root` and returns it."""
    registry = lab()
    root.mkdir(parents=True, exist_ok=True)
    protocol = load_protocol(_written(root / "protocol.yaml", text), registry)
    plan = make_plan(protocol, registry)
    store = Store(root / "store")
    with patch("os.fsync"):
        for number, checkpoint in enumerate(plan.evaluations):
            # By number, not by key: with every change of a keyed file, other answers would put other rows first.
            answers = Guesses(f"checkpoint {number}")
            for column, node in plan.scorings(checkpoint).items():
                tasks = TaskSet.of(instance_of(plan.scored_by(column), registry))
                with store.writing(node.key) as folder:
                    write_results(evaluate_model(answers, tasks, node.settings), tasks, folder)
        for step in plan.steps:
            cost = {"optimizer_steps": 2, "completions": 8, "generated_tokens": 32, "train_seconds": 0.5}
            with store.writing(step.key) as folder:
                (folder / "result.json").write_text(json.dumps({"cost": cost, "report": {}}))
    run = root / plan.run_name
    run.mkdir()
    scores = collect_scores(plan, store)
    write_scores(scores, run / "scores.parquet")
    provenance = {"schema": 1, "plan": plan.key, "packages": {"mdrl-harness": "0.1.0"}}
    (run / "leaderboard.json").write_text(build_leaderboard(scores, plan, store, provenance).to_json())
    (run / "plan.json").write_text(json.dumps(plan_to_json(plan)))
    (run / "provenance.json").write_text(json.dumps(provenance))
    (run / "protocol.yaml").write_text(text)
    return run


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Changes the data of a JSON file."""
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def seal(folder: Path) -> None:
    """Writes the digests of the files as they are now, as somebody does who wants a change to pass."""

    def again(data: Any) -> None:
        data["files"] = {name: sha256((folder / name).read_bytes()).hexdigest() for name in data["files"]}

    edit(folder / "manifest.json", again)


def edit_lines(path: Path, change: Callable[[list[Any]], object]) -> None:
    """Changes the lines of a compressed file of a record."""
    lines = [json.loads(line) for line in lzma.decompress(path.read_bytes()).splitlines()]
    change(lines)
    path.write_bytes(lzma.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
