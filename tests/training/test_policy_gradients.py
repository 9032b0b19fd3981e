"""Gradients of a policy, streamed by parameter, equal those of full backward passes bit for bit."""

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM

from harness.plugin.interfaces import Reward, RewardResult, TrainingDomain
from harness.testing.tiny_world import tiny_checkpoint, tiny_domains
from harness.training.policy_gradients import (
    each_gradient,
    handed_over,
    mean_policy_gradient,
    mean_squared_gradient,
    mean_squared_reward_gradient,
    rewards_of,
    sample_policy,
)
from harness.training.workload import GROUP


@pytest.fixture(scope="module", params=[False, True], ids=["untied", "tied"])
def base(request, tmp_path_factory):
    folder = tiny_checkpoint(tmp_path_factory.mktemp("gradients") / "base")
    if request.param:
        model = AutoModelForCausalLM.from_pretrained(folder)
        model.config.tie_word_embeddings = True
        model.tie_weights()
        model.save_pretrained(folder)
    return folder


def same(one, two):
    assert one.keys() == two.keys()
    return all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture
def domain() -> TrainingDomain:
    return tiny_domains()["one"]


def test_the_fisher_diagonal_is_that_of_whole_gradients(base, domain):
    model, samples, _ = sample_policy(base, domain, count=24, seed=3)
    naive = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
    for _ in each_gradient(model, samples):
        for name, parameter in model.named_parameters():
            naive[name].addcmul_(parameter.grad, parameter.grad, value=1 / len(samples))
    measured = mean_squared_gradient(base, domain, count=24, seed=3)
    assert same(measured.values, naive)
    assert measured.completions == 24
    assert all(float(value.sum()) > 0 for value in naive.values())


def test_the_reward_fisher_is_that_of_whole_gradients_times_their_advantages(base, domain):
    model, samples, rows = sample_policy(base, domain, count=16, seed=3)
    rewards = torch.tensor(rewards_of(samples, rows, domain), dtype=torch.float64).view(-1, GROUP)
    advantages = (rewards - rewards.mean(1, keepdim=True)).flatten().tolist()
    naive = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
    for index in each_gradient(model, samples):
        for name, parameter in model.named_parameters():
            naive[name].add_((advantages[index] * parameter.grad).square(), alpha=1 / len(samples))
    measured = mean_squared_reward_gradient(base, domain, count=16, seed=3)
    assert measured.completions == 16
    for name, value in naive.items():
        torch.testing.assert_close(measured.values[name], value, rtol=1e-4, atol=1e-12)
    assert all(float(value.sum()) > 0 for value in naive.values())


def test_where_all_rewards_are_equal_the_reward_fisher_is_0(base, domain):
    class Same(Reward):
        def score(self, batch):
            return [RewardResult.ok(0.5) for _ in batch.completions]

    measured = mean_squared_reward_gradient(base, replace(domain, reward=Same()), count=16, seed=3)
    assert not any(value.any() for value in measured.values.values())


def test_the_policy_gradient_is_that_of_whole_gradients(base, domain):
    model, samples, rows = sample_policy(base, domain, count=16, seed=3)
    rewards = torch.tensor(rewards_of(samples, rows, domain), dtype=torch.float64).view(-1, GROUP)
    advantages = (rewards - rewards.mean(1, keepdim=True)).flatten().tolist()
    naive = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
    for index in each_gradient(model, samples):
        for name, parameter in model.named_parameters():
            naive[name].add_(parameter.grad, alpha=advantages[index] / len(samples))
    measured = mean_policy_gradient(base, domain, count=16, seed=3)
    for name, value in naive.items():
        torch.testing.assert_close(measured.values[name], value, rtol=1e-5, atol=1e-9)


def test_no_gradient_is_left_and_no_hook_stays_though_the_taker_fails(base, domain):
    model, samples, _ = sample_policy(base, domain, count=8, seed=0)
    seen = []

    def fail(name, gradient):
        seen.append(name)
        raise RuntimeError("full")

    with pytest.raises(RuntimeError, match="full"), handed_over(model, fail):
        for _ in each_gradient(model, samples[:1]):
            pass
    assert len(seen) == 1
    with handed_over(model, lambda name, gradient: seen.append(name)):
        for _ in each_gradient(model, samples[:1]):
            assert all(parameter.grad is None for parameter in model.parameters())
    assert sorted(seen[1:]) == sorted(name for name, _ in model.named_parameters())
    next(each_gradient(model, samples))
    assert all(parameter.grad is not None for parameter in model.parameters())
