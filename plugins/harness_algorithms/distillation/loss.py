"""The losses of on-policy distillation per token, and the weights of tokens.

The student's completions are its own samples, so the reverse KL is an expectation under the student. Shapes: B
completions of T tokens, a vocabulary of V.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def target_log_probabilities(teacher: Tensor, base: Tensor | None, extrapolation: float) -> Tensor:
    """Returns the log probabilities of the policy to match, [B, T, V].

    teacher, base: log probabilities, [B, T, V]. The policy is proportional to base · (teacher/base)^λ: the optimum of
    λ·log(teacher/base) as a reward with a KL to the base (G-OPD, arXiv 2602.12125). base: None if λ is 1.
    """
    if base is None:
        return teacher
    return torch.log_softmax(base + extrapolation * (teacher - base), dim=-1)


def reverse_kl(student: Tensor, target: Tensor) -> Tensor:
    """Returns KL(student ‖ target) over the vocabulary for each token, [B, T], from log probabilities [B, T, V]."""
    return (student.exp() * (student - target)).sum(dim=-1)


def sampled_loss(student: Tensor, target: Tensor) -> Tensor:
    """Returns a loss whose gradient estimates that of the reverse KL at the sampled tokens, [B, T].

    student, target: log probabilities of the sampled tokens, [B, T]. The advantage of a token is log target − log
    student (Thinking Machines 2025, On-Policy Distillation).
    """
    advantage = target - student.detach()
    return -advantage * student


def importance_weights(student: Tensor, sampler: Tensor, lowest: float, highest: float) -> Tensor:
    """Returns student/sampler for each sampled token, kept within bounds, [B, T]; constants for the gradient.

    student, sampler: log probabilities of the sampled tokens under the current weights and those that sampled them.
    Nemotron-Cascade 2 (arXiv 2603.19220, section 4.4) keeps them within 0.5 and 2.
    """
    return torch.exp(student.detach() - sampler).clamp(lowest, highest)


def token_weights(tokens: Tensor, shares: Sequence[float]) -> Tensor:
    """Returns the weight of the tokens of each domain, [domains], such that each domain has its share of the loss.

    tokens: number of tokens of each domain in the round, [domains]. shares: relative. Their mean over all tokens is 1.
    Open-MOPD (arXiv 2608.19098) finds that budgets of tokens matter more than the choice of teachers. A domain without
    tokens has the weight 0, and its share goes to the others.
    """
    wanted = torch.tensor(shares, dtype=torch.float64, device=tokens.device) * (tokens > 0)
    weights = wanted / wanted.sum().clamp(min=torch.finfo(torch.float64).tiny) * tokens.sum()
    return torch.where(tokens > 0, weights / tokens.clamp(min=1), 0.0)
