"""Functions of sampled completions' log-probabilities, with products of their Hessians and vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from harness import TrainingDomain
from harness.training import Sample, rewards_of
from harness_theory.config import CurvatureName

AT_ONCE = 128
"""Completions per pass, sorted by length."""

OfGap = Callable[[torch.Tensor], torch.Tensor]
"""A function of log π_θ(y) − log π_A(y), where π_A is the policy that sampled y."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """A sum over completions of factor · of_gap(log π_θ(y) − log π_A(y)). factors: [completions], fp32."""

    factors: torch.Tensor
    of_gap: OfGap


def expected_reward(advantages: torch.Tensor) -> Term:
    """Returns the mean of a · π_θ(y)/π_A(y). Its gradient and Hessian at A are unbiased for those of the expected
    reward, because the expectation of a · π_θ/π_A is the expected reward of π_θ up to a constant."""
    return Term(factors=advantages / len(advantages), of_gap=torch.exp)


def curvature_term(name: CurvatureName, advantages: torch.Tensor) -> Term:
    """Returns the function whose Hessian at A is the curvature.

    `hessian`: −∇²R. `reward-fisher`: mean of a² s sᵀ, `policy-fisher`: mean of s sᵀ, s = ∇ log π(y); both are the
    Hessian of a mean of squared gaps, because the gap is 0 at A.
    """
    if name == "hessian":
        return Term(factors=-advantages / len(advantages), of_gap=torch.exp)
    weights = advantages.square() if name == "reward-fisher" else torch.ones_like(advantages)
    return Term(factors=weights / len(advantages), of_gap=_half_square)


def _half_square(gap: torch.Tensor) -> torch.Tensor:
    return 0.5 * gap.square()


def advantages_of(
    samples: Sequence[Sample], rows: Sequence[dict[str, object]], domain: TrainingDomain
) -> tuple[torch.Tensor, float]:
    """Returns a = r − the mean reward of the prompt's other completions, [completions], and the mean reward.

    0 for completions without a reward, alone in their group, or excluded from the loss in training. Leaving a
    completion out of its own baseline keeps the gradient unbiased (Kool, van Hoof and Welling 2019).
    """
    values = rewards_of(samples, rows, domain)
    groups: dict[int, list[float]] = {}
    for sample, value in zip(samples, values, strict=True):
        if value is not None:
            groups.setdefault(sample.prompt, []).append(value)
    found = []
    for sample, value in zip(samples, values, strict=True):
        group = groups.get(sample.prompt, [])
        alone = value is None or len(group) < 2 or sample.masked
        found.append(
            0.0 if value is None or alone else (value - sum(group) / len(group)) * len(group) / (len(group) - 1)
        )
    scored = [value for group in groups.values() for value in group]
    return torch.tensor(found), sum(scored) / len(scored)


class SampledPolicy:
    """A model and completions that it sampled. Vectors are fp32, [weights], in the order of `named_parameters`."""

    def __init__(self, model: Any, samples: Sequence[Sample]) -> None:
        self._model = model.requires_grad_(True)
        self._samples = samples
        self._parameters = dict(model.named_parameters())
        self.size = sum(parameter.numel() for parameter in self._parameters.values())

    @property
    def device(self) -> torch.device:
        """Where the vectors are."""
        return next(iter(self._parameters.values())).device

    def flat(self, tensor_of: Callable[[str], torch.Tensor]) -> torch.Tensor:
        """Returns the tensors of all parameters by name as one vector."""
        return torch.cat([tensor_of(name).float().flatten().to(self.device) for name in self._parameters])

    def by_name(self, vector: torch.Tensor) -> dict[str, torch.Tensor]:
        """Returns the parts of a vector by parameter, in the parameters' shapes."""
        parts = vector.split([parameter.numel() for parameter in self._parameters.values()])
        return {
            name: part.view_as(parameter)
            for (name, parameter), part in zip(self._parameters.items(), parts, strict=True)
        }

    def gradient(self, term: Term) -> torch.Tensor:
        """Returns the gradient of the sum at the model's weights."""
        total = torch.zeros(self.size, device=self.device)
        for factors, gap in self._batches(term):
            total += _flat(torch.autograd.grad((factors * term.of_gap(gap)).sum(), self._weights))
        return total

    def product(self, term: Term, vector: torch.Tensor) -> torch.Tensor:
        """Returns the Hessian of the sum at the model's weights, times a vector: exact, by differentiating twice."""
        parts = list(self.by_name(vector.to(self.device)).values())
        total = torch.zeros(self.size, device=self.device)
        for factors, gap in self._batches(term):
            value = (factors * term.of_gap(gap)).sum()
            slopes = torch.autograd.grad(value, self._weights, create_graph=True)
            along = torch.stack([(slope * part).sum() for slope, part in zip(slopes, parts, strict=True)]).sum()
            total += _flat(torch.autograd.grad(along, self._weights))
        return total

    @property
    def _weights(self) -> list[torch.Tensor]:
        return list(self._parameters.values())

    def _batches(self, term: Term) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yields the factors and gaps of batches of completions, without those of factor 0."""
        used = [index for index, factor in enumerate(term.factors.tolist()) if factor]
        used.sort(key=lambda index: len(self._samples[index].ids))
        for start in range(0, len(used), AT_ONCE):
            batch = used[start : start + AT_ONCE]
            # Only this kernel of the attention can be differentiated twice.
            with sdpa_kernel(SDPBackend.MATH):
                found = log_probabilities(self._model, [self._samples[index] for index in batch])
            yield term.factors[batch].to(found), found - found.detach()


def log_probabilities(model: Any, samples: Sequence[Sample]) -> torch.Tensor:
    """Returns log π(completion | prompt) of each sample at its temperature, in one pass: [samples], fp32.

    Samples are padded on the right: a causal model's logits do not depend on later tokens.
    """
    ids = torch.nn.utils.rnn.pad_sequence([sample.ids for sample in samples], batch_first=True)
    temperatures = torch.tensor([sample.temperature for sample in samples], device=ids.device)
    logits = model(input_ids=ids).logits[:, :-1].float() / temperatures[:, None, None]
    picked = torch.log_softmax(logits, dim=-1).gather(2, ids[:, 1:, None])[..., 0]
    places = torch.arange(1, ids.shape[1], device=ids.device)
    starts = torch.tensor([sample.prompt_length for sample in samples], device=ids.device)
    ends = torch.tensor([len(sample.ids) for sample in samples], device=ids.device)
    completion = (places >= starts[:, None]) & (places < ends[:, None])
    return torch.where(completion, picked, 0.0).sum(-1)


def _flat(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])
