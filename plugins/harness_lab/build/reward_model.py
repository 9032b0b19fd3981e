"""The lab's reward model for creative writing: the base model with a head with one label, trained on preferences
with TRL.

It is trained on which of two sentences is better, and never sees the rubric, which computes the score. A model trained
only on the base model's samples is not useful as a reward: the policy finds sentences that the model has not seen and
scores high. The build therefore works in rounds, as is usual: it trains a policy against the model, collects
preferences on the policy's outputs, and trains the model on those too. Only training prompts are used.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, PrinterCallback
from trl import RewardConfig, RewardTrainer

from harness_lab.build.policy import train_policy
from harness_lab.build.preferences import preference_pairs
from harness_lab.build.record import write_record
from harness_lab.build.sampled_scores import sampled_score
from harness_lab.questions import WRITING
from harness_lab.tokenizer import MAX_LENGTH

FIRST_PAIRS = 18_000
KEPT_PAIRS = 6_000
PAIRS_A_ROUND = 4_000
ROUNDS = 4
FIRST_TEACHING = {"num_train_epochs": 3, "learning_rate": 5e-4}
LATER_TEACHING = {"num_train_epochs": 2, "learning_rate": 3e-4}
BATCH = 128
HELD_OUT_ONE_IN = 12
SCORED_PROMPTS = 1024


def build_reward_model(base: Path, folder: Path, *, seed: int) -> None:
    """Builds the reward model from the base model in `base` and writes it, with its record, to `folder`.

    The model of the round whose policy has the best rubric score on training prompts is kept.
    """
    started = time.monotonic()
    first = preference_pairs(base, count=FIRST_PAIRS, seed=seed)
    later: list[dict[str, str]] = []
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(ROUNDS + 1):
            model, previous = Path(scratch) / f"reward-{number}", Path(scratch) / f"reward-{number - 1}"
            if number == 0:
                measured = _teach(base, model, first, FIRST_TEACHING, seed=seed)
            else:
                # Pairs of earlier rounds are used again, because a model trained only on the newest ones forgets the
                # others.
                kept = random.Random(f"lab/reward-model/{seed}/{number}").sample(first, KEPT_PAIRS)
                measured = _teach(previous, model, later + kept, LATER_TEACHING, seed=seed + number)
            policy = train_policy(base, model, Path(scratch) / f"policy-{number}", seed=seed + number)
            measured["rubric_percent_of_a_policy_trained_on_it"] = _rubric(policy, seed)
            rounds.append(measured)
            print(f"round {number}: {_summary(measured)}", flush=True)
            later += preference_pairs(policy, count=PAIRS_A_ROUND, seed=seed + 1 + number)
        best = max(range(len(rounds)), key=lambda n: rounds[n]["rubric_percent_of_a_policy_trained_on_it"])
        shutil.copytree(Path(scratch) / f"reward-{best}", folder, dirs_exist_ok=True)
    seconds = round(time.monotonic() - started, 1)
    write_record(folder, {"seed": seed, "build_seconds": seconds, "kept_round": best, "rounds": rounds})
    print(f"reward model in {folder}: round {best}, {_summary(rounds[best])}")


def _teach(
    start: Path, folder: Path, pairs: list[dict[str, str]], teaching: dict[str, Any], *, seed: int
) -> dict[str, Any]:
    """Trains the model in `start` on the pairs, writes it to `folder`, and returns the measurements."""
    tokenizer = AutoTokenizer.from_pretrained(start)
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(start, num_labels=1, dtype=torch.float32)
    shuffled = random.Random(f"lab/pairs/{seed}").sample(pairs, len(pairs))
    held_out = len(pairs) // HELD_OUT_ONE_IN
    with tempfile.TemporaryDirectory() as scratch:
        trainer = RewardTrainer(
            model=model,
            args=RewardConfig(
                output_dir=scratch,
                **teaching,
                per_device_train_batch_size=BATCH,
                per_device_eval_batch_size=BATCH,
                lr_scheduler_type="cosine",
                warmup_steps=20,
                center_rewards_coefficient=0.01,
                max_length=MAX_LENGTH,
                seed=seed,
                bf16=False,
                activation_checkpointing=False,
                save_strategy="no",
                logging_steps=20,
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
            ),
            processing_class=tokenizer,
            train_dataset=Dataset.from_list(shuffled[held_out:]),
            eval_dataset=Dataset.from_list(shuffled[:held_out]),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        measured = trainer.evaluate()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    history = [row for row in trainer.state.log_history if "loss" in row]
    return {
        "pairs": len(pairs) - held_out,
        "held_out_pairs": held_out,
        "accuracy_on_held_out_pairs": round(measured["eval_accuracy"], 4),
        "loss_curve": [{key: row[key] for key in ("step", "loss", "accuracy")} for row in history],
    }


def _rubric(policy: Path, seed: int) -> float:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(policy).eval(), AutoTokenizer.from_pretrained(policy)
    return round(sampled_score(model, tokenizer, WRITING, count=SCORED_PROMPTS, seed=seed), 2)


def _summary(measured: dict[str, Any]) -> str:
    accuracy = measured["accuracy_on_held_out_pairs"]
    return f"accuracy on held-out pairs {accuracy}, rubric {measured['rubric_percent_of_a_policy_trained_on_it']} %"
