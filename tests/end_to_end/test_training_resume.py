"""A GRPO step, killed and resumed, ends with exactly the weights and costs of an uninterrupted step."""

import pytest
from safetensors.torch import load_file
from step_reports import repeatable
from training_folder import Killed, training_in

from harness import NoConfig, TrainingDomain
from harness.training import PolicyGradientConfig
from harness_algorithms.grpo.algorithm import GRPO
from harness_lab.domains import CodeDomain, LabDomainConfig, MathDomain
from harness_lab.model import FOLDER
from harness_lab.rewards import CodeReward, MathReward


def train(folder, kill_at=None, **settings):
    domains = [
        TrainingDomain(name=name, domain=domain(LabDomainConfig(prompts=8)), reward=reward(NoConfig()))
        for name, domain, reward in (("code", CodeDomain, CodeReward), ("math", MathDomain, MathReward))
    ]
    config = PolicyGradientConfig(
        steps=6, learning_rate=1e-3, prompts_per_step=4, generations=4, save_every=2, **settings
    )
    context = training_in(folder, FOLDER, domains, kill_at=kill_at, seed=7)
    return GRPO(config).train(context), load_file(context.output / "model.safetensors")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return train(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize("kill_at", [1, 3, 5])
def test_a_killed_step_goes_on_to_the_same_weights(tmp_path, undisturbed, kill_at):
    result, weights = undisturbed
    with pytest.raises(Killed):
        train(tmp_path, kill_at=kill_at)
    # What a kill in the middle of a save leaves behind must not be gone on from.
    (tmp_path / "scratch" / "checkpoint-99").mkdir()
    resumed, resumed_weights = train(tmp_path)
    assert all(resumed_weights[name].equal(tensor) for name, tensor in weights.items())
    assert resumed.cost.completions == result.cost.completions == 96
    assert resumed.cost.generated_tokens == result.cost.generated_tokens > 96
    assert repeatable(resumed.report) == repeatable(result.report)
    for report in (resumed.report, result.report):
        assert set(report["reward_seconds"]) == {"code", "math"}


def test_the_step_changed_the_model_and_both_domains_were_rewarded(undisturbed):
    result, weights = undisturbed
    base = load_file(FOLDER / "model.safetensors")
    assert not weights["model.embed_tokens.weight"].equal(base["model.embed_tokens.weight"])
    assert 0 <= result.report["truncated_share"] < 0.5
    assert result.report["reward_outcomes"] == {"code": {"ok": 48}, "math": {"ok": 48}}
    assert result.cost.optimizer_steps == 6


def test_smaller_passes_and_generation_rounds_resume_too(tmp_path):
    settings = {"completions_per_device": 8, "trl": {"steps_per_generation": 4}}
    _, weights = train(tmp_path / "a", **settings)
    with pytest.raises(Killed):
        train(tmp_path / "b", kill_at=5, **settings)
    _, resumed = train(tmp_path / "b", **settings)
    assert all(resumed[name].equal(tensor) for name, tensor in weights.items())
