"""The order of a training step's prompts: shares, routing, and the seed that fixes it."""

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Domain, EvaluationTask, Reward, RewardResult, StepFailed, TrainingDomain, UsageError
from harness.training import PolicyGradientConfig
from harness.training.prompts import ordered_prompts, quotas


class Numbered(Domain):
    def __init__(self, name, size, columns=("prompt",)):
        self.name, self.size, self.columns = name, size, columns

    def fingerprint(self):
        return self.name

    def training_data(self, seed):
        return datasets.Dataset.from_dict({c: [f"{self.name}{i}" for i in range(self.size)] for c in self.columns})

    def evaluation_tasks(self):
        return (EvaluationTask(task="none", metric="none"),)


class Anything(Reward):
    def score(self, batch):
        return [RewardResult.ok(0)] * len(batch.completions)


class OddOnly(Anything):
    def unjudgeable(self, prompts, rows):
        return [None if int(prompt[1:]) % 2 else f"{prompt} is even" for prompt in prompts]


def training_domain(name, size, weight=1.0, **how):
    return TrainingDomain(name=name, domain=Numbered(name, size, **how), reward=Anything(), weight=weight)


@given(
    weights=st.lists(st.floats(0.1, 10), min_size=1, max_size=5),
    per_step=st.integers(1, 40),
    steps=st.integers(1, 30),
)
def test_every_step_is_full_and_no_domain_falls_behind(weights, per_step, steps):
    given_so_far = [0] * len(weights)
    for step, counts in enumerate(quotas(weights, per_step, steps), start=1):
        assert sum(counts) == per_step
        assert min(counts) >= 0
        given_so_far = [g + c for g, c in zip(given_so_far, counts, strict=True)]
        for got, weight in zip(given_so_far, weights, strict=True):
            assert abs(got - weight / sum(weights) * per_step * step) < len(weights)


def order(seed=0, size_exponent=0.0, **sizes):
    domains = [training_domain(name, size) for name, size in sizes.items()]
    return ordered_prompts(domains, steps=6, prompts_per_step=8, size_exponent=size_exponent, seed=seed).rows


def test_equal_weights_give_equal_shares_in_every_step_whatever_the_sizes():
    rows = order(a=5, b=500)
    assert len(rows) == 48
    routes = list(rows["domain"])
    assert all(routes[start : start + 8].count("a") == 4 for start in range(0, 48, 8))


def test_proportional_shares_follow_the_sizes():
    assert list(order(a=10, b=30, size_exponent=1.0)["domain"]).count("a") == 12


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    weights=st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=4, max_size=4),
    exponent=st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    share=st.sampled_from([0.0, 0.1, 0.25, 0.5]),
    per_step=st.integers(1, 12),
)
@settings(max_examples=25, deadline=None)
def test_every_share_is_exact_to_a_prompt_and_every_step_full(sizes, weights, exponent, share, per_step):
    steps = 5
    domains = [training_domain(f"d{i}", size, weight=weights[i]) for i, size in enumerate(sizes)]
    replayed = [training_domain("r0", 7), training_domain("r1", 11)] if share else []
    rows = ordered_prompts(
        domains, steps=steps, prompts_per_step=per_step, seed=1, size_exponent=exponent,
        replayed=replayed, replay_share=share,
    )  # fmt: skip
    routes = list(rows.rows["domain"])
    assert len(routes) == steps * per_step
    scaled = [weight * size**exponent for weight, size in zip(weights, sizes, strict=False)]
    due = {f"d{i}": (1 - share) * value / sum(scaled) for i, value in enumerate(scaled)}
    due |= {domain.name: share / 2 for domain in replayed}
    for step in range(1, steps + 1):
        for name, part in due.items():
            assert abs(routes[: step * per_step].count(name) - part * step * per_step) < len(due)


def test_temperature_lies_between_equal_and_proportional_shares():
    counts = [list(order(a=10, b=160, size_exponent=e)["domain"]).count("a") for e in (0.0, 0.5, 1.0)]
    assert counts == [24, round(48 / 5), round(48 / 17)]


@pytest.mark.parametrize(
    ("settings", "exponent"),
    [({}, 0.0), ({"mix": "proportional"}, 1.0), ({"mix": "temperature", "mix_temperature": 4}, 0.25)],
)
def test_the_settings_give_the_exponent(settings, exponent):
    assert PolicyGradientConfig(**settings).size_exponent == exponent


def test_rows_are_routed_to_their_own_domain_and_used_up_before_they_come_again():
    rows = order(a=12, b=12)
    assert all(row["prompt"].startswith(row["domain"]) for row in rows)
    of_a = [row["prompt"] for row in rows if row["domain"] == "a"]
    assert len(set(of_a[:12])) == 12 and len(set(of_a[12:])) == 12 and of_a[:12] != of_a[12:]


def test_the_seed_fixes_the_order():
    assert list(order(a=20)["prompt"]) == list(order(a=20)["prompt"])
    assert list(order(a=20)["prompt"]) != list(order(seed=1, a=20)["prompt"])


@pytest.mark.parametrize(
    ("how", "says"), [({"columns": ("question",)}, "no column 'prompt'"), ({}, "no training prompts")]
)
def test_data_without_prompts_are_refused(how, says):
    with pytest.raises(StepFailed, match=says):
        ordered_prompts([training_domain("a", 3 if how else 0, **how)], steps=1, prompts_per_step=2, seed=0)


def test_rows_that_the_reward_cannot_judge_are_left_out_and_reported():
    domains = [TrainingDomain(name="a", domain=Numbered("a", 5), reward=OddOnly()), training_domain("b", 2)]
    ordered = ordered_prompts(domains, steps=4, prompts_per_step=4, seed=0)
    assert set(ordered.rows["prompt"]) == {"a1", "a3", "b0", "b1"}
    even = [{"row": f"row {number + 1} of the training data", "reason": f"a{number} is even"} for number in (0, 2, 4)]
    assert ordered.unjudgeable == {
        "a": {"rows": 5, "left_out": 3, "first": even},
        "b": {"rows": 2, "left_out": 0, "first": []},
    }


def test_rows_that_the_reward_cannot_judge_may_be_refused():
    domains = [TrainingDomain(name="a", domain=Numbered("a", 5), reward=OddOnly())]
    with pytest.raises(
        UsageError, match=r"3 of the 5 training rows of a cannot be judged: row 1 .*: a0 is even; row 3"
    ):
        ordered_prompts(domains, steps=1, prompts_per_step=2, seed=0, unjudgeable="refuse")
