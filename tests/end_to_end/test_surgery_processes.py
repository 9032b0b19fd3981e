"""Two processes (gloo, on the CPU) compute the same gradient as one process on the same batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.testing.tiny_world import tiny_checkpoint

SCRIPT = Path(__file__).parents[1] / "support" / "surgery_process.py"


ENVIRONMENT = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
PROTOCOL = """\
schema: 1
name: surgery-in-two-ranks
model: {use: lab-tiny}
launch: {accelerate: {distributed_type: MULTI_GPU, num_processes: 2}}
domains: {code: {use: lab-code, prompts: 16}, math: {use: lab-math, prompts: 16}}
train: {with: mgs, steps: 2, prompts_per_step: 4, generations: 4, learning_rate: 6.0e-4}
evaluate: {limit: 4, batch_size: 4}
methods: {mgs: [{train: [code, math]}]}
"""
LOSSES = ("dapo", "grpo")


@pytest.fixture(scope="module")
def ended_with(tmp_path_factory):
    """What each process ended with, by loss, how many there were, and its rank."""
    folder = tmp_path_factory.mktemp("processes")
    checkpoint = tiny_checkpoint(folder / "model")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for words in ([], launcher):
        done = subprocess.run(
            [sys.executable, *words, str(SCRIPT), str(checkpoint), str(folder), *LOSSES],
            capture_output=True, text=True, check=False,
            env=ENVIRONMENT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
    return {path.stem: torch.load(path) for path in folder.glob("*.pt")}


@pytest.mark.parametrize("loss_type", LOSSES)
def test_two_processes_make_the_gradient_of_one(ended_with, loss_type):
    alone, first, second = (ended_with[f"{loss_type}-{which}"] for which in ("1-0", "2-0", "2-1"))
    assert first["wrapped"] == "DistributedDataParallel"
    for name, expected in alone["gradient"].items():
        assert first["gradient"][name].equal(second["gradient"][name])
        assert (first["gradient"][name] - expected).norm() <= 1e-5 * expected.norm(), name
    assert first["surgery"].keys() == alone["surgery"].keys()
    for name, expected in alone["surgery"].items():
        assert first["surgery"][name] == second["surgery"][name] == pytest.approx(expected, rel=1e-4, abs=1e-5), name
    assert first["entropy"] == pytest.approx(alone["entropy"], rel=1e-5)
    assert any(value != [0.0] for name, value in alone["surgery"].items() if "conflict_share" in name)
    # Two real steps, each process with completions of its own: the weights are the same ones everywhere.
    assert first["steps"] == second["steps"] == 2
    assert all(first["trained"][name].equal(tensor) for name, tensor in second["trained"].items())


def test_a_launched_step_notes_its_conflicts_once(tmp_path):
    (tmp_path / "two.yaml").write_text(PROTOCOL)
    words = [sys.executable, "-m", "harness", "run", "two.yaml"]
    done = subprocess.run(words, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    [result] = [
        json.loads(path.with_name("result.json").read_text()) for path in tmp_path.glob("runs/store/*/metrics.jsonl")
    ]
    assert result["cost"]["completions"] == 2 * 4 * 4
    assert {(row["module"], row["steps"]) for row in result["report"]["conflict_by_module"]} >= {
        ("embeddings", 2), ("layers.3.mlp", 2),
    }  # fmt: skip
