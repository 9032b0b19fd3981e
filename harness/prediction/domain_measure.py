"""What a prediction measures of one domain at a checkpoint: completions, their rewards, and gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from harness.domains.judgeable import judgeable_rows
from harness.execution.seeds import named_seed
from harness.plugin.interfaces import TrainingDomain
from harness.prediction.matrix import TrainingPace
from harness.prediction.vectors import Vectors
from harness.training.policy_gradients import handed_over, rewards_of
from harness.training.sampling import Sample, Sampler
from harness.training.workload import GROUP
from harness.weights.loading import loaded_model, loaded_tokenizer

CHUNK = 16 * GROUP
"""The number of completions per gradient when its variance is measured."""

LOGITS = 1 << 26
"""The largest number of logits of a pass, 256 MiB in fp32, where one completion does not have more."""

LARGEST_RATIO = 10.0
"""The upper limit of importance weights, so that a single completion cannot dominate a domain."""

EPSILON = 1e-12


@dataclass(frozen=True, kw_only=True)
class DomainSamples:
    """Completions of a domain's training prompts, sampled at a checkpoint with `seed`.

    rewards: nan if missing. advantages: the rewards minus the mean of their group, 0 if missing.
    """

    seed: int
    samples: tuple[Sample, ...]
    rewards: torch.Tensor
    advantages: torch.Tensor

    @property
    def reward(self) -> float:
        """The mean reward."""
        return float(self.rewards.nanmean())

    @property
    def spread(self) -> float:
        """The standard deviation of the reward."""
        return float(self.rewards[~self.rewards.isnan()].std(correction=0))

    @property
    def active(self) -> float:
        """The share of prompts whose completions differ in reward. Others have no advantage and give no gradient."""
        return float((self.advantages.view(-1, GROUP).abs().amax(1) > EPSILON).float().mean())


@dataclass(frozen=True, kw_only=True)
class DomainMeasure:
    """The measurements of a domain at the checkpoint.

    gain: ∇ of the expected reward. direction: one optimizer step of a training on the domain, in units of the learning
    rate. policy: the gradient of that step. All vectors are flat, fp32, and in files.
    """

    sampled: DomainSamples
    gain: torch.Tensor
    policy: torch.Tensor
    direction: torch.Tensor


def sample_domain(
    folder: Path, domain: TrainingDomain, *, completions: int, seed: int
) -> tuple[Any, DomainSamples, torch.Tensor]:
    """Returns the model, its completions of the domain's training prompts in whole groups of 8, and the advantages that
    GRPO would use.

    The draws are coupled: with the same seed, another checkpoint meets the same prompts and the same random numbers.
    """
    model = model_in(folder)
    sampler = Sampler(model, loaded_tokenizer(folder, padding_side="left"), domain.sampled_as())
    data = judgeable_rows(domain, seed).rows
    rows = [dict(data[index % len(data)]) for index in range(max(completions // GROUP, 1))]
    samples: list[Sample] = []
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        for start in range(0, len(rows), GROUP):
            # A batch draws as often as its longest completion is long, so each needs a seed of its own.
            torch.manual_seed(named_seed(seed, "batch", start))
            batch = sampler.sample([row["prompt"] for row in rows[start : start + GROUP]], generations=GROUP)
            samples += [replace(sample, prompt=start + sample.prompt) for sample in batch]
    rewards = torch.tensor([float("nan") if r is None else r for r in rewards_of(samples, rows, domain)])
    plain, standard = _advantages(rewards)
    return model, DomainSamples(seed=seed, samples=tuple(samples), rewards=rewards, advantages=plain), standard


def measure_domain(
    folder: Path, domain: TrainingDomain, pace: TrainingPace, *, seed: int, completions: int, scratch: Path
) -> DomainMeasure:
    """Samples a domain at the checkpoint and returns its gradients, stored in files in `scratch`.

    The direction is Adam's, u = m / √(m² + v), where m is the mean policy gradient and v its variance over batches of
    the training's batch size. A weight's update is therefore large if its gradient is large compared with its noise.
    """
    model, sampled, standard = sample_domain(folder, domain, completions=completions, seed=seed)
    samples, plain = sampled.samples, sampled.advantages
    trained = torch.tensor([not sample.masked for sample in samples], dtype=torch.float32)
    standard = standard * trained
    scratch.mkdir()
    vectors = Vectors(scratch, model)
    gain, policy, squares = (vectors.zeros(name) for name in ("gain", "policy", "squares"))
    chunks = 0
    with vectors.temporary("chunk") as summed:
        for start in range(0, len(samples), CHUNK):
            chunk = range(start, min(start + CHUNK, len(samples)))
            weight = len(chunk) / len(samples)
            lengths = torch.tensor([len(samples[place].ids) - samples[place].prompt_length for place in chunk])
            tokens = float((lengths * trained[chunk]).sum().clamp(min=1))
            summed.zero_()

            def add_gain(name: str, gradient: torch.Tensor, weight: float = weight) -> None:
                vectors.part(gain, name).add_(weight * gradient.flatten().cpu())

            def add_policy(name: str, gradient: torch.Tensor) -> None:
                vectors.part(summed, name).add_(gradient.flatten().cpu())

            # A completion without an advantage has no gradient.
            for batch in _batches(model, samples, [place for place in chunk if plain[place] or standard[place]]):
                values = _log_probabilities(model, [samples[place] for place in batch])
                with handed_over(model, add_gain):
                    mean = (values * plain[batch].to(values.device)).sum() / len(chunk)
                    mean.backward(retain_graph=True)  # type: ignore[no-untyped-call]
                with handed_over(model, add_policy):
                    loss = (values * standard[batch].to(values.device)).sum() / tokens
                    loss.backward()  # type: ignore[no-untyped-call]
            for segment in vectors.segments():
                policy[segment].add_(weight * summed[segment])
                squares[segment].add_(weight * summed[segment].square())
            chunks += 1
    for segment in vectors.segments():
        mean = policy[segment].square()
        per_chunk = (squares[segment] - mean).clamp(min=0) * (chunks / max(chunks - 1, 1))
        variance = per_chunk * min(CHUNK, len(samples)) / pace.completions_per_step
        squares[segment] = policy[segment] / (mean + variance).sqrt().clamp(min=EPSILON)
    return DomainMeasure(sampled=sampled, gain=gain, policy=policy, direction=squares)


def log_probabilities(model: Any, samples: tuple[Sample, ...]) -> torch.Tensor:
    """Returns log π(completion | prompt) of each sample under the current weights, on the CPU."""
    with torch.no_grad():
        parts = [
            _log_probabilities(model, [samples[place] for place in batch]).cpu()
            for start in range(0, len(samples), CHUNK)
            for batch in _batches(model, samples, range(start, min(start + CHUNK, len(samples))))
        ]
    return torch.cat(parts)


def ratios(model: Any, samples: tuple[Sample, ...], before: torch.Tensor) -> torch.Tensor:
    """Returns π(completion | prompt) of each sample divided by exp(`before`), at most `LARGEST_RATIO`."""
    return (log_probabilities(model, samples) - before).exp().clamp(max=LARGEST_RATIO)


def kl_on(folder: Path, samples: tuple[Sample, ...], before: Path) -> float:
    """Returns KL(π_before ‖ π in `folder`) on a domain's prompts, in nats per completion, from samples of π_before."""
    old = log_probabilities(model_in(before), samples)
    return float((old - log_probabilities(model_in(folder), samples)).mean())


def model_in(folder: Path) -> Any:
    """Returns the model of a folder in fp32, in evaluation mode."""
    return loaded_model(folder, dtype=torch.float32).to("cuda" if torch.cuda.is_available() else "cpu")


def _advantages(rewards: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns each reward minus its group's mean, and that divided by the group's standard deviation, 0 if missing."""
    groups = rewards.view(-1, GROUP)
    centred = groups - groups.nanmean(1, keepdim=True)
    deviation = centred.square().nanmean(1, keepdim=True).sqrt()
    plain, standard = centred.nan_to_num(0.0), (centred / (deviation + 1e-4)).nan_to_num(0.0)
    return plain.flatten(), standard.flatten()


def _batches(model: Any, samples: Sequence[Sample], places: Sequence[int]) -> Iterator[list[int]]:
    """Yields the places in batches of samples with at most `LOGITS` logits when padded, or of one sample."""
    vocabulary = model.get_output_embeddings().weight.shape[0]
    batch: list[int] = []
    width = 0
    for place in places:
        width = max(width, len(samples[place].ids))
        if batch and (len(batch) + 1) * width * vocabulary > LOGITS:
            yield batch
            batch, width = [], len(samples[place].ids)
        batch.append(place)
    if batch:
        yield batch


def _log_probabilities(model: Any, samples: Sequence[Sample]) -> torch.Tensor:
    """Returns log π of each sample's completion, in one pass: [samples], fp32."""
    width = max(len(sample.ids) for sample in samples)
    ids = torch.zeros(len(samples), width, dtype=torch.long, device=model.device)
    seen, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    temperatures = torch.tensor([sample.temperature for sample in samples], device=model.device)
    for row, sample in enumerate(samples):
        length = len(sample.ids)
        ids[row, :length] = sample.ids.to(model.device)
        seen[row, :length] = 1
        mask[row, sample.prompt_length : length] = 1
    logits = model(input_ids=ids, attention_mask=seen).logits[:, :-1].float() / temperatures[:, None, None]
    values = torch.log_softmax(logits, dim=-1).gather(2, ids[:, 1:, None])[..., 0]
    return (values * mask[:, 1:]).sum(1)
