"""The lab's reward model for creative writing: the base model with a head of one label, taught preferences by TRL.

It sees which of two sentences is better, never the rubric that says why; reinforcement learning is rewarded by it, the
score is the rubric's. Only training prompts are used.
"""

from __future__ import annotations

import random
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, PrinterCallback
from trl import RewardConfig, RewardTrainer

from harness_lab.build.record import write_record
from harness_lab.build.sampled_scores import sample_completions
from harness_lab.questions import WRITING
from harness_lab.tokenizer import MAX_LENGTH
from harness_lab.words import ADJECTIVES, ARTICLES, NOUNS, VERBS

PAIRS = 12_000
HELD_OUT_PAIRS = 1_000
EPOCHS = 3
LEARNING_RATE = 5e-4
BATCH = 128


def build_reward_model(base: Path, folder: Path, *, seed: int) -> None:
    """Trains the reward model from the base model in `base` and writes it, with its record, to `folder`."""
    started = time.monotonic()
    tokenizer = AutoTokenizer.from_pretrained(base)
    pairs = preference_pairs(base, count=PAIRS + HELD_OUT_PAIRS, seed=seed)
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=torch.float32)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = RewardTrainer(
            model=model,
            args=RewardConfig(
                output_dir=scratch,
                num_train_epochs=EPOCHS,
                per_device_train_batch_size=BATCH,
                per_device_eval_batch_size=BATCH,
                learning_rate=LEARNING_RATE,
                lr_scheduler_type="cosine",
                warmup_steps=50,
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
            train_dataset=Dataset.from_list(pairs[:PAIRS]),
            eval_dataset=Dataset.from_list(pairs[PAIRS:]),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        held_out = trainer.evaluate()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    history = [row for row in trainer.state.log_history if "loss" in row]
    write_record(
        folder,
        {
            "pairs": PAIRS,
            "epochs": EPOCHS,
            "seed": seed,
            "build_seconds": round(time.monotonic() - started, 1),
            "held_out_pairs": HELD_OUT_PAIRS,
            "accuracy_on_held_out_pairs": round(held_out["eval_accuracy"], 4),
            "loss_curve": [{key: row[key] for key in ("step", "loss", "accuracy")} for row in history],
        },
    )
    print(f"reward model in {folder}: accuracy on held-out pairs {held_out['eval_accuracy']:.4f}")


def preference_pairs(base: Path, *, count: int, seed: int) -> list[dict[str, str]]:
    """Returns `count` rows of `prompt`, `chosen` and `rejected`.

    The candidates are the base model's own samples, well-made and faulty sentences, and scrambled ones, so that the
    reward model has seen what a policy in training may stray into; the better one by the rubric is chosen, ties go.
    """
    rng = random.Random(f"lab/preferences/{seed}")
    prompts = [question.prompt for question in islice(WRITING.draw("train", seed + 1), 2 * count)]
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base).eval(), AutoTokenizer.from_pretrained(base)
    samples = sample_completions(model, tokenizer, prompts, tokens=WRITING.completion_tokens, seed=seed)
    pairs: list[dict[str, str]] = []
    for prompt, sample in zip(prompts, samples, strict=True):
        first, second = _candidate(prompt, sample, rng), _candidate(prompt, sample, rng)
        better, worse = sorted((first, second), key=lambda text: -WRITING.score(prompt, text))
        if WRITING.score(prompt, better) > WRITING.score(prompt, worse):
            pairs.append({"prompt": prompt, "chosen": better, "rejected": worse})
    if len(pairs) < count:
        raise RuntimeError(f"only {len(pairs)} of {count} pairs had a better side")
    return pairs[:count]


def _candidate(prompt: str, sample: str, rng: random.Random) -> str:
    question = WRITING.with_prompt(prompt)
    kind = rng.choice(("sample", "sample", "right", "wrong", "scrambled"))
    if kind == "sample":
        return sample if rng.random() < 0.5 else _scrambled(sample, rng)
    if kind == "right":
        return WRITING.right_answer(question, rng)
    if kind == "wrong":
        return WRITING.wrong_answer(question, rng)
    return _scrambled(WRITING.right_answer(question, rng), rng)


def _scrambled(text: str, rng: random.Random) -> str:
    """Returns the text with one to four of its words replaced, dropped, doubled or swapped."""
    words = text.replace(",", " ,").replace(".", " .").split()
    for _ in range(rng.randint(1, 4)):
        if len(words) < 2:
            break
        index = rng.randrange(len(words))
        match rng.choice(("replace", "drop", "double", "swap")):
            case "replace":
                words[index] = rng.choice((*ADJECTIVES, *VERBS, *NOUNS, *ARTICLES, ",", "."))
            case "drop":
                del words[index]
            case "double":
                words.insert(index, words[index])
            case "swap":
                other = rng.randrange(len(words))
                words[index], words[other] = words[other], words[index]
    return "".join(word if word in ",." else f" {word}" for word in words)
