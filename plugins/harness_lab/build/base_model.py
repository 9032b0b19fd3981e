"""The lab's base model: a small Llama trained from scratch on answers of which only some are right.

Its most likely answer is right, but sampled answers are often wrong, so that reinforcement learning can improve it, as
with a real base model.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import IterableDataset
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Trainer, TrainingArguments

from harness_lab.questions import KINDS, QuestionKind
from harness_lab.questions.lookup import Lookup
from harness_lab.tokenizer import MAX_LENGTH

STEPS = (4500, 600)
"""Optimizer steps of the two phases."""
LEARNING_RATES = (2e-3, 1e-3)
PHASES: tuple[dict[str, QuestionKind], ...] = (KINDS, KINDS | {"qa": Lookup(near_misses=0.0)})
"""In the second phase, a wrong answer in QA is any number instead of another fact's. After the first phase alone, the
model picks among the numbers in the text at random, and training does not change this; answers with other numbers can
be unlearned."""
MIXTURE = ("code", "math", "qa", "qa", "cw")
SHARE_RIGHT = {"code": 0.6, "math": 0.6, "qa": 0.6, "cw": 0.4}
SEQUENCES_PER_STEP = 256


class SupervisedDraws(IterableDataset[dict[str, str]]):
    """An endless stream of training prompts, with answers that are right with the probability of their domain."""

    def __init__(self, seed: int, kinds: Mapping[str, QuestionKind]) -> None:
        self.seed = seed
        self.kinds = kinds

    def __iter__(self) -> Iterator[dict[str, str]]:
        rng = random.Random(f"lab/base-model/{self.seed}")
        draws = {name: kind.draw("train", self.seed) for name, kind in self.kinds.items()}
        while True:
            name = rng.choice(MIXTURE)
            question, kind = next(draws[name]), self.kinds[name]
            answer = kind.right_answer if rng.random() < SHARE_RIGHT[name] else kind.wrong_answer
            yield {"prompt": question.prompt, "answer": answer(question, rng)}


class AnswerCollator:
    """Tokenizes a batch; the loss is computed only on the answer and the end token, because prompts are random."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer

    def __call__(self, rows: list[dict[str, str]]) -> dict[str, torch.Tensor]:
        prompts = self.tokenizer([row["prompt"] for row in rows])["input_ids"]
        answers = self.tokenizer([row["answer"] + self.tokenizer.eos_token for row in rows])["input_ids"]
        longest = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
        ids = torch.full((len(rows), longest), self.tokenizer.pad_token_id)
        labels = torch.full((len(rows), longest), -100)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            end = len(prompt) + len(answer)
            ids[row, :end] = torch.tensor(prompt + answer)
            labels[row, len(prompt) : end] = torch.tensor(answer)
            mask[row, :end] = 1
        return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """Returns the untrained model: 0.79 million parameters, fp32, drawn from `seed`."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=336,
        num_hidden_layers=4,
        num_attention_heads=4,
        tie_word_embeddings=True,
        max_position_embeddings=MAX_LENGTH,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.do_sample = True
    model.generation_config.top_k = 0
    return model


def train_phase(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, phase: int, *, steps: int, seed: int, scratch: str
) -> list[dict[str, Any]]:
    """Trains `model` in place on the data of `phase` (0 or 1).

    Returns its loss curve: rows of `phase`, `step`, `loss`, `learning_rate`.
    """
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=scratch,
            max_steps=steps,
            per_device_train_batch_size=SEQUENCES_PER_STEP,
            learning_rate=LEARNING_RATES[phase],
            lr_scheduler_type="cosine",
            warmup_steps=steps // 10,
            weight_decay=0.01,
            adam_beta2=0.98,
            max_grad_norm=1.0,
            seed=seed,
            save_strategy="no",
            logging_steps=50,
            report_to="none",
            remove_unused_columns=False,
            use_cpu=True,
            disable_tqdm=True,
        ),
        train_dataset=SupervisedDraws(seed + phase, PHASES[phase]),
        data_collator=AnswerCollator(tokenizer),
    )
    trainer.train()
    history = [row for row in trainer.state.log_history if "loss" in row]
    return [{"phase": phase} | {key: row[key] for key in ("step", "loss", "learning_rate")} for row in history]
