"""Parts of a composite reward as reward functions of their own: each is normalized before the sum (GDPO)."""

import json
from dataclasses import replace

import pytest
from pydantic import ValidationError
from safetensors.torch import load_file
from training_folder import training_in

from harness import Reward, RewardBatch, RewardResult
from harness.testing import tiny_checkpoint
from harness.testing.tiny_world import CharacterReward, tiny_domains
from harness.training import PolicyGradientConfig, RewardRouter, train_with_trl
from harness.training.reward_parts import reward_parts


class Length(Reward):
    def score(self, batch):
        return [RewardResult.ok(len(text)) for text in batch.completions]


class Sum(Reward):
    """The sum of two parts, of which one is multiplied by `scale`; `fails` marks rows whose reward fails."""

    def __init__(self, scale=1.0, weights=None, fails=lambda text: False):
        self.scale = scale
        self.fails = fails
        self.part_weights = {"place": 1.0, "length": 0.5} if weights is None else weights

    def score(self, batch):
        places = CharacterReward().score(batch)
        lengths = [RewardResult.ok(self.scale * r.value) for r in Length().score(batch)]
        rows = zip(batch.completions, places, lengths, strict=True)
        return [
            RewardResult.error("no") if self.fails(text)
            else RewardResult("ok", place.value + 0.5 * length.value, "", {"place": place, "length": length})
            for text, place, length in rows
        ]  # fmt: skip


def domains_with(reward):
    one, two = tiny_domains().values()
    return [replace(one, reward=reward), two]


COLUMNS = {"prompts": ["p"] * 4, "completions": ["a", "bb", "!!!", "d"], "domain": ["one", "one", "one", "two"]}


def test_each_part_is_a_function_of_the_rows_of_its_domain():
    reward = Sum(fails=lambda text: text.startswith("!"))
    router = RewardRouter(domains_with(reward), max_error_rate=1.0)
    functions, weights = reward_parts(router)
    assert [function.__name__ for function in functions] == ["one/place", "one/length", "two"]
    assert weights == [1.0, 0.5, 1.0]
    scored = [function(**COLUMNS) for function in functions]
    assert scored[1] == [1.0, 2.0, None, None]
    [place, _, _] = CharacterReward().score(RewardBatch(prompts=["p"] * 3, completions=["a", "b", "c"], rows=[{}] * 3))
    assert scored[0][0] == place.value
    assert scored[0][2:] == [None, None]
    assert scored[2][:3] == [None] * 3
    assert scored[2][3] is not None
    assert router.counts["one"] == {"ok": 2, "error": 1}


def trained(folder, reward, aggregation):
    context = training_in(folder, tiny_checkpoint(folder / "start"), domains_with(reward))
    config = PolicyGradientConfig(
        steps=1, prompts_per_step=4, generations=4, learning_rate=1e-2,
        trl={"multi_objective_aggregation": aggregation, "optim": "sgd", "max_grad_norm": 1e9},
    )  # fmt: skip
    train_with_trl(context, config)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return load_file(folder / "output" / "model.safetensors"), rows


@pytest.mark.parametrize(("aggregation", "depends"), [("normalize_then_sum", False), ("sum_then_normalize", True)])
def test_only_a_sum_that_is_normalized_last_depends_on_the_scale_of_a_part(tmp_path, aggregation, depends):
    small, rows = trained(tmp_path / "small", Sum(scale=100.0), aggregation)
    large, _ = trained(tmp_path / "large", SumOfLarge(), aggregation)
    name = "model.embed_tokens.weight"
    start = load_file(tmp_path / "small" / "start" / "model.safetensors")[name]
    moved = (small[name] - start).norm()
    difference = (small[name] - large[name]).norm()
    assert moved > 0
    assert bool(difference > 0.01 * moved) == depends
    if not depends:
        assert {"rewards/one/place/mean", "rewards/one/length/mean", "rewards/two/mean"} <= set(rows[0])


class SumOfLarge(Sum):
    """The same reward with both parts and the scale multiplied, the length more than the place."""

    def __init__(self):
        super().__init__(scale=100.0)

    def score(self, batch):
        results = super().score(batch)
        return [
            RewardResult(
                "ok", 100 * r.parts["place"].value + 0.5 * r.parts["length"].value, "",
                {"place": RewardResult.ok(100 * r.parts["place"].value), "length": r.parts["length"]},
            )
            for r in results
        ]  # fmt: skip


def test_the_weights_are_those_of_the_reward():
    with pytest.raises(ValidationError, match="use the weights of a composite reward"):
        PolicyGradientConfig(trl={"reward_weights": [1.0]})
