"""Builds the lab's models from scratch: `python -m harness_lab.build [base|reward|all]`.

The base model takes about forty minutes on two cores, the reward model a few. Both are seeded; the same torch build on
the same number of threads gives the same weights. `record.json`, next to the weights, contains the measurements.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from harness_lab.build.base_model import SEQUENCES_PER_STEP, STEPS, new_model, train_phase
from harness_lab.build.record import write_record
from harness_lab.build.sampled_scores import sampled_score
from harness_lab.questions import KINDS
from harness_lab.tokenizer import build_tokenizer

MODELS = Path(__file__).parent.parent / "models"
SCORED_PROMPTS = 1024


def main() -> None:
    """Parses the arguments and builds the requested models."""
    parser = argparse.ArgumentParser(prog="python -m harness_lab.build", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("base", "reward", "all"), default="all")
    parser.add_argument("--out", type=Path, default=MODELS, help="folder of the two models")
    parser.add_argument(
        "--steps", type=int, nargs=2, default=STEPS, help="optimizer steps of the base model's two phases"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.what in ("base", "all"):
        build_base(arguments.out / "base", steps=arguments.steps, seed=arguments.seed)
    if arguments.what in ("reward", "all"):
        from harness_lab.build.reward_model import build_reward_model

        build_reward_model(arguments.out / "base", arguments.out / "cw-reward", seed=arguments.seed)


def build_base(folder: Path, *, steps: Sequence[int], seed: int) -> None:
    """Trains the base model and writes it to `folder` with its tokenizer and its record."""
    tokenizer = build_tokenizer()
    started = time.monotonic()
    model = new_model(tokenizer, seed)
    curve = []
    for phase, phase_steps in enumerate(steps):
        with tempfile.TemporaryDirectory() as scratch:
            curve += train_phase(model, tokenizer, phase, steps=phase_steps, seed=seed, scratch=scratch)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    scores = {
        name: round(sampled_score(model, tokenizer, kind, count=SCORED_PROMPTS, seed=seed), 2)
        for name, kind in KINDS.items()
    }
    write_record(
        folder,
        {
            "steps": list(steps),
            "sequences_per_step": SEQUENCES_PER_STEP,
            "seed": seed,
            "train_seconds": round(time.monotonic() - started, 1),
            "sampled_score_percent_on_train_prompts": scores,
            "scored_prompts": SCORED_PROMPTS,
            "loss_curve": curve,
        },
    )
    print(f"base model in {folder}: {scores}")


if __name__ == "__main__":
    main()
