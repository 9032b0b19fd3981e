"""The curvature of a reward, its eigenvectors, and the causal split, where the answers are known."""

import math

import pytest
import torch
from torch.testing import assert_close

from harness import ProbeContext, StepFailed
from harness.testing.tiny_world import tiny_checkpoint, tiny_domains, tiny_lineage
from harness.training import Sample, each_gradient, log_probability, sample_policy
from harness.weights import WeightFolder, loaded_model
from harness_theory.causal_split import CausalSplit
from harness_theory.config import CausalSplitConfig
from harness_theory.eigenvectors import top_eigenpairs
from harness_theory.pieces import pieces
from harness_theory.sampled_policy import (
    SampledPolicy,
    Term,
    advantages_of,
    curvature_term,
    expected_reward,
    log_probabilities,
)
from harness_theory.updates import shifted

DOMAIN = tiny_domains()["one"]


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    folder = tiny_checkpoint(tmp_path_factory.mktemp("theory") / "base")
    return sample_policy(folder, DOMAIN, count=24, seed=1)


def random_vector(size, seed=0):
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def every_answer(model):
    """A prompt with each token of the vocabulary as its completion, and the model's probabilities of them."""
    prompt = torch.tensor([7, 30, 12])
    samples = [
        Sample(prompt=0, ids=torch.cat([prompt, torch.tensor([token])]), prompt_length=3, text="")
        for token in range(model.config.vocab_size)
    ]
    with torch.no_grad():
        return samples, log_probabilities(model, samples).exp()


def test_the_curvature_is_that_of_the_expected_reward(tmp_path):
    model = loaded_model(tiny_checkpoint(tmp_path / "model"), dtype=torch.float32)
    samples, probabilities = every_answer(model)
    rewards = torch.linspace(-1, 1, len(samples)).square()
    policy = SampledPolicy(model, samples)
    # The sum over all answers of π_A(y) r(y) π_θ(y)/π_A(y) is the expected reward itself.
    term = Term(factors=probabilities * rewards, of_gap=torch.exp)
    weights = list(model.parameters())
    vector = random_vector(policy.size)
    parts = list(policy.by_name(vector).values())

    def slope_at(step):
        for weight, part in zip(weights, parts, strict=True):
            weight.data += step * part
        value = (log_probabilities(model, samples).double().exp() * rewards).sum()
        found = torch.cat([one.flatten() for one in torch.autograd.grad(value, weights)])
        for weight, part in zip(weights, parts, strict=True):
            weight.data -= step * part
        return found

    assert_close(policy.gradient(term), slope_at(0.0), rtol=1e-4, atol=1e-6)
    by_differences = (slope_at(1e-3) - slope_at(-1e-3)) / 2e-3
    product = policy.product(term, vector)
    assert float((product - by_differences).norm() / product.norm()) < 1e-2


def test_products_of_the_fisher_matrices_are_sums_over_completions(sampled):
    model, samples, rows = sampled
    advantages, _ = advantages_of(samples, rows, DOMAIN)
    policy = SampledPolicy(model, samples)
    vector = random_vector(policy.size)
    for name, weights in (("policy-fisher", torch.ones(24)), ("reward-fisher", advantages.square())):
        expected = torch.zeros(policy.size)
        for index in each_gradient(model, samples):
            slope = policy.flat(lambda name: dict(model.named_parameters())[name].grad)
            expected += float(weights[index] / 24 * (slope @ vector)) * slope
        found = policy.product(curvature_term(name, advantages), vector)
        assert float((found - expected).norm() / expected.norm()) < 1e-3


def test_a_batch_has_the_probabilities_of_single_completions(sampled):
    model, samples, _ = sampled
    assert len({len(sample.ids) for sample in samples}) > 1
    with torch.no_grad():
        alone = torch.stack([log_probability(model, sample) for sample in samples]).float()
        assert_close(log_probabilities(model, samples), alone, rtol=1e-5, atol=1e-5)


def test_no_completion_is_in_its_own_baseline(sampled):
    _, samples, rows = sampled
    advantages, mean = advantages_of(samples, rows, DOMAIN)
    from harness.training import rewards_of

    rewards = rewards_of(samples, rows, DOMAIN)
    assert float(advantages[3]) == pytest.approx(rewards[3] - (sum(rewards[:8]) - rewards[3]) / 7)
    assert mean == pytest.approx(sum(rewards) / 24)
    term = expected_reward(advantages)
    assert float(term.factors.sum()) == pytest.approx(0, abs=1e-6)


def planted(values, size, seed=0):
    basis, _ = torch.linalg.qr(torch.randn(size, len(values), generator=torch.Generator().manual_seed(seed)))
    return basis, lambda vector: basis @ (torch.tensor(values) * (basis.T @ vector))


def test_lanczos_finds_the_planted_directions_with_the_largest_eigenvalues():
    basis, product = planted([5.0, 3.0, 1.0, -9.0], 400)
    found = top_eigenpairs(product, 400, 3, seed=1, tolerance=1e-4)
    assert found.values == pytest.approx([5.0, 3.0, 1.0], rel=1e-3)
    assert_close((found.vectors @ basis).abs()[:, :3], torch.eye(3), atol=1e-2, rtol=0)
    assert_close(found.vectors @ found.vectors.T, torch.eye(3), atol=1e-4, rtol=0)
    again = top_eigenpairs(product, 400, 3, seed=1, tolerance=1e-4)
    assert torch.equal(found.vectors, again.vectors)


def test_a_subspace_as_large_as_the_model_is_told():
    with pytest.raises(StepFailed, match="5 weights"):
        top_eigenpairs(lambda vector: vector, 5, 5, seed=0, tolerance=0.01)


def test_where_the_damage_is_quadratic_in_a_subspace_the_split_finds_it_there():
    basis, product = planted([4.0, 2.0, 1.0], 600)
    delta = random_vector(600, seed=5) + 3 * basis.sum(1)
    subspace = top_eigenpairs(product, 600, 3, seed=2, tolerance=1e-5)

    def by_tensor(vector):
        return {"one": vector[:100], "two": vector[100:]}

    found = {}
    for piece in pieces(delta, subspace, by_tensor, draws=2, seed="7"):
        vector = piece.make()
        found[piece.name, piece.draw] = vector, 0.5 * float(vector @ product(vector))
    losses = {name: loss for name, (_, loss) in found.items()}
    assert losses["subspace", 0] == pytest.approx(losses["full", 0], rel=1e-3)
    assert losses["complement", 0] == pytest.approx(0, abs=1e-3 * losses["full", 0])
    assert losses["random-subspace", 0] < 0.1 * losses["full", 0]
    norms = {name: float(vector.norm()) for name, (vector, _) in found.items()}
    assert norms["random-subspace", 1] == pytest.approx(norms["subspace", 0], rel=1e-4)
    assert norms["random-direction", 1] == pytest.approx(norms["full", 0], rel=1e-4)
    assert math.hypot(norms["subspace", 0], norms["complement", 0]) == pytest.approx(norms["full", 0], rel=1e-4)
    for part, like in zip(
        by_tensor(found["random-by-tensor", 0][0]).values(), by_tensor(found["subspace", 0][0]).values(), strict=True
    ):
        assert float(part.norm()) == pytest.approx(float(like.norm()), rel=1e-4)
    assert not torch.equal(found["random-subspace", 0][0], found["random-subspace", 1][0])


def context_of(lineage, scratch, score):
    return ProbeContext(
        lineage=lineage, domains=tiny_domains(), scratch=scratch, seed=1, progress=lambda *told: None, score=score
    )


def test_scores_that_fall_by_the_second_order_loss_are_found_to(tmp_path):
    lineage = tiny_lineage(tmp_path / "lineage")
    peak = lineage[1].folder
    config = CausalSplitConfig(curvature="policy-fisher", rank=3, completions=24, draws=1)
    model, samples, rows = sample_policy(peak, DOMAIN, count=24, seed=1)
    policy = SampledPolicy(model, samples)
    term = curvature_term("policy-fisher", torch.ones(24))
    start = WeightFolder(peak)

    def score(folder):
        moved = WeightFolder(folder)
        step = policy.flat(lambda name: moved.read(name) - start.read(name))
        return {"one": 80 - 0.5 * float(step @ policy.product(term, step)), "two": 50.0}

    rows = CausalSplit(config).measure(context_of(lineage, tmp_path, score))
    assert [row["piece"] for row in rows] == [
        "full",
        "subspace",
        "complement",
        "random-subspace",
        "random-by-tensor",
        "random-direction",
    ]
    assert {(row["target"], row["peak"], row["against"]) for row in rows} == {("one", "one", "two")}
    for row in rows:
        assert row["loss"] == pytest.approx(row["second_order_loss"], rel=1e-2, abs=1e-5)
    full, inside, outside, *_ = (row["second_order_loss"] for row in rows)
    assert full == pytest.approx(inside + outside, rel=2e-2)  # up to the tolerance, the parts do not interact
    assert sum(row["share_of_square"] for row in rows[1:3]) == pytest.approx(1, rel=1e-4)
    assert not (tmp_path / "model").exists()


def test_a_method_without_a_later_training_has_no_rows(tmp_path):
    lineage = tiny_lineage(tmp_path / "lineage")
    score = lambda folder: {"one": 1.0, "two": 1.0}  # noqa: E731
    assert CausalSplit(CausalSplitConfig(target="two")).measure(context_of(lineage, tmp_path, score)) == []
    assert CausalSplit(CausalSplitConfig(against=("one",))).measure(context_of(lineage, tmp_path, score)) == []
    with pytest.raises(StepFailed, match="three"):
        CausalSplit(CausalSplitConfig(target="three")).measure(context_of(lineage, tmp_path, score))


def test_rewards_that_never_differ_are_told(tmp_path):
    lineage = tiny_lineage(tmp_path / "lineage")
    config = CausalSplitConfig(completions=2, rank=2, curvature="reward-fisher")
    constant = type(DOMAIN.reward)()
    constant.score = lambda batch: type(DOMAIN.reward).score(constant, batch)[:1] * len(batch.completions)
    from dataclasses import replace

    context = replace(
        context_of(lineage, tmp_path, lambda folder: {"one": 1.0}),
        domains={"one": replace(DOMAIN, reward=constant), "two": DOMAIN},
    )
    with pytest.raises(StepFailed, match="do not differ"):
        CausalSplit(config).measure(context)


def test_the_shifted_model_is_the_peak_plus_the_vector(tmp_path):
    folder = tiny_checkpoint(tmp_path / "peak")
    model, samples, _ = sample_policy(folder, DOMAIN, count=8, seed=1)
    policy = SampledPolicy(model, samples)
    vector = random_vector(policy.size)
    with shifted(folder, policy, vector, tmp_path / "moved") as moved:
        new, old = WeightFolder(moved), WeightFolder(folder)
        found = policy.flat(lambda name: new.read(name) - old.read(name))
    assert_close(found, vector, rtol=0, atol=1e-5)
    assert not (tmp_path / "moved").exists()
