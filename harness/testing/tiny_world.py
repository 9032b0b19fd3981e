"""Tiny objects for tests: a model of a few thousand random weights, a domain, a reward and a lineage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import ascii_letters, digits, punctuation
from typing import TYPE_CHECKING

from harness.plugin.interfaces import (
    Cost,
    Domain,
    EvaluationTask,
    LineageEntry,
    Reward,
    RewardBatch,
    RewardResult,
    StepResult,
    TrainingDomain,
)

if TYPE_CHECKING:
    from datasets import Dataset

PAD, END = "<pad>", "<eos>"
CHARACTERS = " " + digits + ascii_letters + punctuation
MAX_LENGTH = 64


class Digits(Domain):
    """Prompts such as `Q: 7? A:`, with the answer 7. The task has no file, because nothing is evaluated."""

    completion_tokens = 4

    def fingerprint(self) -> str:
        return "harness.testing/digits/2"

    def training_data(self, seed: int) -> Dataset:
        from datasets import Dataset

        shown = [(seed + index) % 10 for index in range(8)]
        return Dataset.from_list([{"prompt": f"Q: {digit}? A:", "answer": str(digit)} for digit in shown])

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        return (EvaluationTask(task="digits", metric="exact_match"),)


class CharacterReward(Reward):
    """The mean index of a completion's characters in the alphabet, which differs within a group of samples."""

    def score(self, batch: RewardBatch) -> Sequence[RewardResult]:
        return [RewardResult.ok(_mean_place(completion)) for completion in batch.completions]


def _mean_place(text: str) -> float:
    return sum(CHARACTERS.find(character) for character in text) / (len(CHARACTERS) * max(1, len(text)))


def tiny_domains() -> dict[str, TrainingDomain]:
    """Returns two training domains with rewards, `one` and `two`."""
    return {name: TrainingDomain(name=name, domain=Digits(), reward=CharacterReward()) for name in ("one", "two")}


def tiny_checkpoint(folder: Path, *, seed: int = 0) -> Path:
    """Writes a two-layer Llama with random weights, determined by `seed`, and a character tokenizer to `folder`, which
    is created if necessary. Returns `folder`."""
    import torch
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {token: index for index, token in enumerate([PAD, END, *CHARACTERS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(vocabulary),
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=MAX_LENGTH,
                pad_token_id=vocabulary[PAD],
                eos_token_id=vocabulary[END],
                bos_token_id=None,
            )
        )
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        padding_side="left",
        model_max_length=MAX_LENGTH,
    ).save_pretrained(folder)
    return folder


def nudged_checkpoint(source: Path, output: Path, *, seed: int, size: float = 0.01, mask: Path | None = None) -> Path:
    """Writes the model in `source` to `output`, with normal noise of standard deviation `size` added to all weights, or
    to those of an update mask."""
    import torch

    from harness.training import Mask
    from harness.weights import WeightFolder, write_patched

    generator = torch.Generator().manual_seed(seed)

    def nudge(name: str, tensor: torch.Tensor) -> torch.Tensor:
        moved = tensor + size * torch.randn(tensor.shape, generator=generator)
        return moved if mask is None else torch.where(Mask(mask).changeable(name, tensor.shape), moved, tensor)

    output.mkdir(parents=True, exist_ok=True)
    write_patched(WeightFolder(source), output, nudge)
    return output


def tiny_lineage(folder: Path, *, seed: int = 0) -> list[LineageEntry]:
    """Writes three checkpoints to `folder` and returns them: the base, after `one` (its peak), after `two`."""
    base = tiny_checkpoint(folder / "base", seed=seed)
    peak = nudged_checkpoint(base, folder / "one", seed=seed + 1)
    damaged = nudged_checkpoint(peak, folder / "two", seed=seed + 2)
    return [
        LineageEntry(step=0, label="base", domains=(), folder=base),
        LineageEntry(step=1, label="one", domains=("one",), folder=peak),
        LineageEntry(step=2, label="two", domains=("two",), folder=damaged),
    ]


def tiny_training(output: Path, source: Path, *, seed: int, mask: Path | None = None) -> StepResult:
    """Simulates a training of one optimizer step: adds small seeded noise to all weights, or to those of a mask."""
    nudged_checkpoint(source, output, seed=seed, size=0.001, mask=mask)
    return StepResult(cost=Cost(optimizer_steps=1, completions=4, generated_tokens=16, train_seconds=0.1))
