"""The prediction from virtual updates, on a tiny model with two identical domains."""

import shutil
import tempfile

import pytest
import torch

from harness.errors import StepFailed
from harness.plugin.interfaces import Reward, RewardResult, TrainingDomain
from harness.prediction import domain_measure
from harness.prediction.domain_measure import kl_on, measure_domain, model_in
from harness.prediction.matrix import TrainingPace
from harness.prediction.pilots import pilot_damage
from harness.prediction.predictors import RIVALS
from harness.prediction.vectors import Vectors
from harness.prediction.virtual_step import HORIZON, predict
from harness.testing.tiny_world import CharacterReward, Digits, nudged_checkpoint, tiny_checkpoint, tiny_domains
from harness.weights.model_folder import hash_checkpoint


class Opposite(CharacterReward):
    """Wants what CharacterReward does not."""

    def score(self, batch):
        return [RewardResult.ok(1 - result.value) for result in super().score(batch)]


class Silent(Reward):
    """Has none for any completion."""

    def score(self, batch):
        return [RewardResult.error("no judge") for _ in batch.completions]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("prediction") / "base")


def predicted(base, domains=None, *, learning_rate=1e-4, steps=60, **changes):
    domains = domains or tiny_domains()
    pace = TrainingPace(learning_rate=learning_rate, steps=steps, completions_per_step=256)
    settings = {"seed": 0, "completions": 256} | changes
    return predict(base, domains, dict.fromkeys(domains, pace), **settings)


def test_two_domains_that_want_the_same_help_each_other_and_opposite_ones_harm(base):
    before = hash_checkpoint(base)
    domains = tiny_domains() | {"three": TrainingDomain(name="three", domain=Digits(), reward=Opposite())}
    prediction = predicted(base, domains).prediction
    damage = prediction.damages()
    assert len(damage) == 6
    assert damage["one", "two"] < 0
    assert damage["two", "one"] < 0
    assert damage["one", "three"] > 0
    assert damage["three", "two"] > 0
    cosine = {(pair.trained, pair.harmed): pair.gradient_cosine for pair in prediction.pairs}
    assert cosine["one", "two"] == cosine["two", "one"] > 0 > cosine["two", "three"]
    assert (prediction.completions, prediction.seed) == (3 * 256, 0)
    assert hash_checkpoint(base) == before


def test_the_terms_grow_with_the_first_and_second_power_of_the_learning_rate(base):
    small, large = (predicted(base, learning_rate=rate).prediction.pairs for rate in (1e-4, 2e-4))
    for one, two in zip(small, large, strict=True):
        assert two.first_order == pytest.approx(2 * one.first_order, rel=1e-4)
        assert abs(two.second_order) > 2.5 * abs(one.second_order)
        assert one.damage == pytest.approx(-(one.first_order + one.second_order))


def test_a_training_counts_no_longer_than_its_steps_nor_than_the_horizon(base):
    def first(**changes):
        return predicted(base, completions=64, **changes).prediction.pairs[0].first_order

    assert first(steps=2) == pytest.approx(first(steps=HORIZON) * 2 / HORIZON, rel=1e-4)
    assert first(steps=HORIZON) == first(steps=1000)


def test_the_same_seed_predicts_the_same_and_leaves_the_global_generator_alone(base):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = predicted(base, completions=64).prediction
    assert torch.equal(torch.rand(3), expected)
    assert predicted(base, completions=64).prediction == first
    assert predicted(base, completions=64, seed=1).prediction.pairs != first.pairs


def test_kl_is_none_to_the_model_itself_and_positive_to_another(base, tmp_path):
    samples = predicted(base).samples["one"].samples
    other = nudged_checkpoint(base, tmp_path / "other", seed=1, size=0.1)
    assert kl_on(base, samples, base) == 0
    assert kl_on(other, samples, base) > 0


def test_a_step_towards_the_reward_of_two_is_told_by_both_pilots(base, tmp_path):
    """The domains `one` and `two` want the same characters, of which a biased model writes more."""
    domains = {**tiny_domains(), "three": TrainingDomain(name="three", domain=Digits(), reward=Opposite())}
    samples = predicted(base, domains).samples
    end = trained_checkpoint(base, domains["one"], tmp_path / "end", samples["one"])
    harmed = {name: samples[name] for name in ("two", "three")}
    small, large = (pilot_damage(base, end, domains, harmed, factor=factor) for factor in (1.0, 20.0))
    for name in ("pilot", "pilot, reweighted"):
        assert small["two"][name] < 0 < small["three"][name]
        assert large["two"][name] == pytest.approx(20 * small["two"][name])
    nothing = pilot_damage(base, base, domains, harmed, factor=20.0)
    assert all(value == 0 for values in nothing.values() for value in values.values())


def trained_checkpoint(base, domain, folder, sampled):
    """Writes the model after one step of gradient ascent on the reward of the samples."""
    model = model_in(base)
    tokens = [sample.ids for sample in sampled.samples]
    for ids, sample, advantage in zip(tokens, sampled.samples, sampled.advantages, strict=True):
        logits = model(input_ids=ids[None]).logits[0, sample.prompt_length - 1 : -1]
        picked = torch.log_softmax(logits, -1).gather(1, ids[sample.prompt_length :, None]).sum()
        (-advantage * picked / len(tokens)).backward()
    torch.optim.SGD(model.parameters(), lr=1.0).step()
    shutil.copytree(base, folder)
    model.save_pretrained(folder)
    return folder


def test_rivals_are_measured_only_where_they_are_asked_for(base):
    assert predicted(base, completions=32).rivals == {}
    rivals = predicted(base, completions=32, rivals=True).rivals
    assert {frozenset(values) for values in rivals.values()} == {frozenset(one.name for one in RIVALS)}
    both = rivals["one", "two"], rivals["two", "one"]
    for name in ("update overlap", "negative update distance"):
        assert both[0][name] == pytest.approx(both[1][name], rel=1e-4)


def test_vectors_are_zeros_in_files_with_a_part_for_each_parameter(tmp_path):
    model = torch.nn.Linear(3, 2)
    vectors = Vectors(tmp_path, model)
    vector = vectors.zeros("one")
    vectors.part(vector, "bias").fill_(1)
    assert vector.tolist() == [0] * 6 + [1] * 2
    assert torch.frombuffer(bytearray((tmp_path / "one").read_bytes()), dtype=torch.float32).tolist() == vector.tolist()
    assert torch.cat([vector[segment] for segment in vectors.segments()]).equal(vector)
    with pytest.raises(FileExistsError):
        vectors.zeros("one")


def test_nothing_is_left_of_the_files(base, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    predicted(base, completions=32)
    assert list(tmp_path.iterdir()) == []
    domains = tiny_domains() | {"silent": TrainingDomain(name="silent", domain=Digits(), reward=Silent())}
    with pytest.raises(StepFailed):
        predicted(base, domains, completions=32)
    assert list(tmp_path.iterdir()) == []


def test_a_domain_without_any_reward_is_told(base):
    silent = TrainingDomain(name="silent", domain=Digits(), reward=Silent(), reward_label="x: reward 'silent'")
    with pytest.raises(StepFailed, match="no judge"):
        predicted(base, {"silent": silent}, completions=32)


def test_passes_of_few_logits_measure_the_same(base, tmp_path, monkeypatch):
    """Also where a chunk of completions, whose gradients are the samples of the variance, takes several passes."""
    pace = TrainingPace(learning_rate=1e-4, steps=60, completions_per_step=64)

    def measured(folder):
        given = {"seed": 0, "completions": 256, "scratch": folder}
        return measure_domain(base, tiny_domains()["one"], pace, **given)

    whole = measured(tmp_path / "whole")
    sizes = []
    loss = torch.log_softmax

    def recorded(logits, **given):
        sizes.append(logits.numel())
        return loss(logits, **given)

    limit = 4 * max(len(sample.ids) for sample in whole.sampled.samples) * vocabulary_of(base)
    monkeypatch.setattr(domain_measure, "LOGITS", limit)
    monkeypatch.setattr(torch, "log_softmax", recorded)
    small = measured(tmp_path / "small")
    assert max(sizes) <= limit
    for vector in ("gain", "policy", "direction"):
        one, two = getattr(whole, vector), getattr(small, vector)
        assert torch.linalg.vector_norm(one - two) <= 1e-3 * torch.linalg.vector_norm(one) > 0


def vocabulary_of(folder):
    return model_in(folder).get_output_embeddings().weight.shape[0]
