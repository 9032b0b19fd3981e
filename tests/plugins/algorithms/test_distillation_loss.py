"""The losses of on-policy distillation, against their definitions and the gradient of the divergence."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness_algorithms.distillation.loss import (
    importance_weights,
    reverse_kl,
    sampled_loss,
    target_log_probabilities,
    token_weights,
)


def policy(seed, *shape):
    return torch.log_softmax(
        torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), -1
    )


@given(st.integers(0, 999), st.integers(2, 9))
def test_the_reverse_kl_is_that_of_torch_and_0_only_between_equal_policies(seed, size):
    student, target = policy(seed, 2, 3, size), policy(seed + 1, 2, 3, size)
    expected = torch.nn.functional.kl_div(target, student, log_target=True, reduction="none").sum(-1)
    assert torch.allclose(reverse_kl(student, target), expected)
    assert (reverse_kl(student, target) > 0).all()
    assert reverse_kl(student, student).abs().max() < 1e-12


def test_the_mean_gradient_of_the_sampled_loss_is_the_gradient_of_the_reverse_kl():
    """Over all tokens weighted by the student's probabilities, the estimate has no error."""
    logits = torch.randn(7, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    target = policy(1, 7)
    [exact] = torch.autograd.grad(reverse_kl(torch.log_softmax(logits, -1), target), logits)
    student = torch.log_softmax(logits, -1)
    losses = sampled_loss(student, target)
    [estimate] = torch.autograd.grad((student.detach().exp() * losses).sum(), logits)
    assert torch.allclose(exact, estimate)


@given(st.integers(0, 999), st.floats(0.1, 3))
def test_the_extrapolated_target_is_the_best_policy_for_the_scaled_reward(seed, factor):
    teacher, base = policy(seed, 5), policy(seed + 1, 5)

    def value(candidate):
        reward = factor * (teacher - base)
        return float((candidate.exp() * reward).sum() - reverse_kl(candidate, base))

    best = target_log_probabilities(teacher, base, factor)
    assert math.isclose(float(best.exp().sum()), 1, rel_tol=1e-9)
    assert all(value(best) >= value(policy(other, 5)) for other in range(20))
    assert torch.allclose(target_log_probabilities(teacher, base, 1.0), teacher)
    assert torch.equal(target_log_probabilities(teacher, None, 1.0), teacher)


def test_importance_weights_are_cut_and_constant():
    student = torch.tensor([0.0, 1.0, -3.0, 0.1], requires_grad=True)
    weights = importance_weights(student, torch.zeros(4), 0.5, 2.0)
    assert not weights.requires_grad
    assert weights.tolist() == pytest.approx([1.0, 2.0, 0.5, math.exp(0.1)])


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0.1, 10)), min_size=1, max_size=5))
def test_each_domain_with_tokens_has_its_share_of_the_loss_and_the_mean_weight_is_1(domains):
    tokens = torch.tensor([count for count, _ in domains], dtype=torch.float64)
    shares = [share for _, share in domains]
    weights = token_weights(tokens, shares)
    present = [share if count else 0.0 for count, share in domains]
    if not any(present):
        assert not weights.any()
        return
    parts = (weights * tokens / tokens.sum()).tolist()
    assert parts == pytest.approx([share / sum(present) for share in present])
