"""Every algorithm, killed during a step and resumed, ends with exactly the weights of an uninterrupted step."""

from importlib import import_module

import pytest
from safetensors.torch import load_file
from step_reports import repeatable
from training_folder import Killed, training_in

from harness import NoConfig, TrainingDomain
from harness_lab.domains import CodeDomain, LabDomainConfig, MathDomain
from harness_lab.model import FOLDER
from harness_lab.rewards import CodeReward, MathReward

ALGORITHMS = {
    "rloo": ("harness_algorithms.grpo", {}),
    "replay": ("harness_algorithms.replay", {"share": 0.25}),
    "rloo-lora": ("harness_algorithms.grpo", {"lora": {"rank": 4, "dropout": 0.1}}),
    "replay-lora": ("harness_algorithms.replay", {"share": 0.25, "lora": {"rank": 4}}),
    "anchored-kl-lora": ("harness_algorithms.anchored", {"anchor": "kl", "lora": {"rank": 4}}),
    "anchored-kl": ("harness_algorithms.anchored", {"anchor": "kl"}),
    "anchored-l2": ("harness_algorithms.anchored", {"anchor": "l2", "strength": 1.0}),
    "anchored-ewc": ("harness_algorithms.anchored", {"anchor": "ewc", "strength": 10.0, "fisher_completions": 8}),
}


def algorithm(name, **settings):
    module, own = ALGORITHMS[name]
    [spec] = [spec for spec in import_module(module).harness_algorithms() if spec.name == name.split("-")[0]]
    config, kind = (getattr(import_module(path), attribute) for path, attribute in map(split, (spec.config, spec.load)))
    small = {"steps": 3, "learning_rate": 1e-3, "prompts_per_step": 4, "generations": 4, "save_every": 2}
    return kind(config(**small, **own, **settings)), spec


def split(place):
    return place.split(":")


def lab_domain(name, domain, reward):
    return TrainingDomain(name=name, domain=domain(LabDomainConfig(prompts=8)), reward=reward(NoConfig()))


def train(folder, name, kill_at=None, earlier=True, **settings):
    made, spec = algorithm(name, **settings)
    code = lab_domain("code", CodeDomain, CodeReward)
    earlier = [lab_domain("math", MathDomain, MathReward)] if spec.replays and earlier else []
    context = training_in(folder, FOLDER, [code], kill_at=kill_at, seed=7, earlier=earlier)
    return made.train(context), load_file(context.output / "model.safetensors")


def same(first, second):
    return first.keys() == second.keys() and all(second[name].equal(tensor) for name, tensor in first.items())


def counted(result):
    """Returns what a step counted."""
    return repeatable(result.report), result.cost.completions


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_killed_step_goes_on_to_the_same_weights(tmp_path, name):
    result, weights = train(tmp_path / "undisturbed", name)
    with pytest.raises(Killed):
        train(tmp_path / "killed", name, kill_at=3)
    resumed, resumed_weights = train(tmp_path / "killed", name)
    assert same(weights, resumed_weights)
    assert not same(weights, load_file(FOLDER / "model.safetensors"))
    assert counted(resumed) == counted(result)


def test_replay_takes_its_share_of_prompts_from_earlier_domains_and_adds_none(tmp_path):
    result, _ = train(tmp_path, "replay")
    assert result.report["reward_outcomes"] == {"code": {"ok": 36}, "math": {"ok": 12}}
    assert result.cost.completions == 48


def test_replay_without_earlier_domains_is_grpo(tmp_path):
    from harness.training import PolicyGradientConfig
    from harness_algorithms.grpo.algorithm import GRPO

    _, weights = train(tmp_path / "replay", "replay", earlier=False)
    small = {"steps": 3, "learning_rate": 1e-3, "prompts_per_step": 4, "generations": 4, "save_every": 2}
    context = training_in(tmp_path / "grpo", FOLDER, [lab_domain("code", CodeDomain, CodeReward)], seed=7)
    GRPO(PolicyGradientConfig(**small)).train(context)
    assert same(weights, load_file(context.output / "model.safetensors"))
