"""Scores a model as the lab's tasks do, sampled at temperature 1, but without lm-eval; for the record of the build."""

from __future__ import annotations

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from harness_lab.questions import QuestionKind


@torch.inference_mode()
def sample_completions(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: list[str], *, tokens: int, seed: int
) -> list[str]:
    """Returns one completion for each prompt, sampled at temperature 1, at most `tokens` tokens long."""
    torch.manual_seed(seed)
    completions: list[str] = []
    for start in range(0, len(prompts), 256):
        batch = tokenizer(prompts[start : start + 256], return_tensors="pt", padding=True, return_token_type_ids=False)
        ids = model.generate(**batch, do_sample=True, top_k=0, max_new_tokens=tokens)
        completions += tokenizer.batch_decode(ids[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    return completions


def sampled_score(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, kind: QuestionKind, *, count: int, seed: int
) -> float:
    """Returns the mean score, in percent, over `count` training prompts; held-out prompts are not used."""
    prompts = [question.prompt for question, _ in zip(kind.draw("train", seed), range(count), strict=False)]
    completions = sample_completions(model, tokenizer, prompts, tokens=kind.completion_tokens, seed=seed)
    return 100 * sum(kind.score(p, c) for p, c in zip(prompts, completions, strict=True)) / count
