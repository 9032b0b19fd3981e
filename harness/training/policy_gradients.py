"""Gradients of a checkpoint's policy on a domain, from sampled completions with one backward pass each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from harness.domains.judgeable import judgeable_rows
from harness.domains.scoring import score_rewards
from harness.errors import StepFailed
from harness.plugin.interfaces import RewardBatch, TrainingDomain
from harness.training.sampling import Sample, Sampler, prompt_ids
from harness.training.workload import GROUP
from harness.weights.loading import loaded_model, loaded_tokenizer


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """A mean over sampled completions, by parameter name, fp32, on the CPU, with the number of samples."""

    values: dict[str, torch.Tensor]
    completions: int
    tokens: int


def mean_squared_gradient(folder: Path, domain: TrainingDomain, *, count: int, seed: int) -> Gradients:
    """Returns the diagonal of the Fisher matrix of the policy in `folder` on the domain's training prompts.

    F = mean over `count` sampled completions y of (∇ log π(y|x))², squared per completion. Memory: the model, the
    result, and one parameter's gradient at a time. Does not change torch's global generator.
    """
    model, samples, _ = sample_policy(folder, domain, count=count, seed=seed)
    return _mean_square(model, samples, [1.0] * len(samples))


def mean_squared_reward_gradient(folder: Path, domain: TrainingDomain, *, count: int, seed: int) -> Gradients:
    """Returns the diagonal of the covariance of the policy gradient's terms: where the reward depends on a weight.

    F = mean over sampled completions y of (a·∇ log π(y|x))², a = r(y) − mean r of y's prompt. It is 0 for prompts whose
    completions have equal rewards. Samples, memory and errors: as `mean_policy_gradient`.
    """
    model, samples, rows = sample_policy(folder, domain, count=count, seed=seed)
    return _mean_square(model, samples, _advantages(samples, rows, domain))


def _mean_square(model: PreTrainedModel, samples: Sequence[Sample], factors: Sequence[float]) -> Gradients:
    """Returns the mean over the samples of (factor · ∇ log π)². A sample with the factor 0 costs no backward pass."""
    total = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
    for sample, factor in zip(samples, factors, strict=True):

        def add(name: str, gradient: torch.Tensor, value: float = factor**2 / len(samples)) -> None:
            total[name].addcmul_(gradient, gradient, value=value)

        if factor:
            with handed_over(model, add):
                log_probability(model, sample).backward()  # type: ignore[no-untyped-call]
    return _measured(total, samples)


def mean_policy_gradient(folder: Path, domain: TrainingDomain, *, count: int, seed: int) -> Gradients:
    """Returns the policy gradient of the domain's mean reward at the checkpoint in `folder`.

    g = mean over sampled completions y of (r(y) − mean r of y's prompt) · ∇ log π(y|x) (REINFORCE with a group
    baseline). A completion that training masks counts as 0, and a factor of 0 costs no backward pass. Memory: as
    `mean_squared_gradient`. Raises StepFailed if no completion got a reward.
    """
    model, samples, rows = sample_policy(folder, domain, count=count, seed=seed)
    advantages = _advantages(samples, rows, domain)
    total = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
    for sample, advantage in zip(samples, advantages, strict=True):

        def add(name: str, gradient: torch.Tensor, weight: float = advantage / len(samples)) -> None:
            total[name].add_(gradient, alpha=weight)

        if advantage:
            with handed_over(model, add):
                log_probability(model, sample).backward()  # type: ignore[no-untyped-call]
    return _measured(total, samples)


def _measured(total: dict[str, torch.Tensor], samples: Sequence[Sample]) -> Gradients:
    return Gradients(
        values={name: value.cpu() for name, value in total.items()},
        completions=len(samples),
        tokens=sum(len(sample.ids) - sample.prompt_length for sample in samples),
    )


def sample_policy(
    folder: Path, domain: TrainingDomain, *, count: int, seed: int
) -> tuple[PreTrainedModel, list[Sample], list[dict[str, object]]]:
    """Returns the model in fp32, `count` completions of the domain's training prompts in groups of `GROUP`, and the
    prompts' rows. Samples as training does. Does not change torch's global generator."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = loaded_model(folder, dtype=torch.float32).to(device)
    sampler = Sampler(model, loaded_tokenizer(folder, padding_side="left"), domain.sampled_as())
    data = judgeable_rows(domain, seed).rows
    rows = [dict(data[index % len(data)]) for index in range(max(1, count // GROUP))]
    samples: list[Sample] = []
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        for start in range(0, len(rows), GROUP):
            prompts = [row["prompt"] for row in rows[start : start + GROUP]]
            batch = sampler.sample(prompts, generations=GROUP)
            samples += [replace(sample, prompt=start + sample.prompt) for sample in batch]
    return model, samples[:count], rows


def rendered_prompts(tokenizer: Any, domain: TrainingDomain, count: int, seed: int) -> list[list[int]]:
    """Returns the tokens of the domain's first `count` training prompts, as training renders them."""
    data = judgeable_rows(domain, seed).rows
    prompts = [data[index]["prompt"] for index in range(min(count, len(data)))]
    return prompt_ids(tokenizer, prompts, domain.sampled_as().trl.get("chat_template_kwargs") or {})


def each_gradient(model: PreTrainedModel, samples: Sequence[Sample]) -> Iterator[int]:
    """Yields each sample's index with ∇ log π(completion | prompt) in the parameters' `grad`."""
    for index, sample in enumerate(samples):
        model.zero_grad(set_to_none=True)
        log_probability(model, sample).backward()  # type: ignore[no-untyped-call]
        yield index


def log_probability(model: PreTrainedModel, sample: Sample) -> torch.Tensor:
    """Returns log π(completion | prompt) at the sampling temperature."""
    logits = model(input_ids=sample.ids[None]).logits[0, sample.prompt_length - 1 : -1].float() / sample.temperature
    targets = sample.ids[sample.prompt_length :]
    return torch.log_softmax(logits, dim=-1).gather(1, targets[:, None]).double().sum()


@contextmanager
def handed_over(model: torch.nn.Module, take: Callable[[str, torch.Tensor], None]) -> Iterator[None]:
    """In this context, a backward pass calls `take(name, gradient)` for each parameter and then frees the gradient, so
    that the gradients of all parameters are never in memory at once. Tied weights are one parameter."""

    def hook(name: str) -> Callable[[torch.Tensor], None]:
        def complete(parameter: torch.Tensor) -> None:
            assert parameter.grad is not None
            take(name, parameter.grad)
            parameter.grad = None

        return complete

    model.zero_grad(set_to_none=True)
    handles = []
    for name, parameter in model.named_parameters():
        handles.append(parameter.register_post_accumulate_grad_hook(hook(name)))  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def rewards_of(
    samples: Sequence[Sample], rows: Sequence[dict[str, object]], domain: TrainingDomain
) -> list[float | None]:
    """Returns the reward of each completion, None if it has none. Raises StepFailed if no completion has one."""
    batch = RewardBatch(
        prompts=[rows[sample.prompt]["prompt"] for sample in samples],
        completions=[sample.text for sample in samples],
        rows=[rows[sample.prompt] for sample in samples],
    )
    results = score_rewards(domain.reward, batch, label=domain.reward_label)
    values = [result.value for result in results]
    if all(value is None for value in values):
        raise StepFailed(
            f"no sampled completion of {domain.name} got a reward; the first failed with: {results[0].detail}",
            where=domain.reward_label,
        )
    return values


def _advantages(samples: Sequence[Sample], rows: Sequence[dict[str, object]], domain: TrainingDomain) -> list[float]:
    values = rewards_of(samples, rows, domain)
    by_prompt: dict[int, list[float]] = {}
    for sample, value in zip(samples, values, strict=True):
        if value is not None:
            by_prompt.setdefault(sample.prompt, []).append(value)
    means = {prompt: sum(group) / len(group) for prompt, group in by_prompt.items()}
    return [
        0.0 if value is None or sample.masked else value - means[sample.prompt]
        for sample, value in zip(samples, values, strict=True)
    ]
