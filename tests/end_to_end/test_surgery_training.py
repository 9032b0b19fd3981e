"""Training steps with gradient surgery, compared with GRPO and with one another, and after a kill."""

import json

import pytest
from safetensors.torch import load_file
from step_reports import repeatable
from training_folder import Killed, training_in

from harness import NoConfig, TrainingDomain
from harness.training import PolicyGradientConfig
from harness_algorithms.grpo.algorithm import GRPO
from harness_algorithms.surgery.algorithm import ModularGradientSurgery, PCGrad
from harness_algorithms.surgery.config import ModularSurgeryConfig, SurgeryConfig
from harness_lab.domains import CodeDomain, CWDomain, LabDomainConfig, MathDomain
from harness_lab.model import FOLDER
from harness_lab.rewards import CodeReward, MathReward, RubricReward

DOMAINS = {"code": (CodeDomain, CodeReward), "math": (MathDomain, MathReward), "cw": (CWDomain, RubricReward)}


def mgs(**settings):
    return ModularGradientSurgery(ModularSurgeryConfig(**settings))


def pcgrad(**settings):
    return PCGrad(SurgeryConfig(**settings))


def grpo(**settings):
    return GRPO(PolicyGradientConfig(**settings))


def train(folder, algorithm, domains=tuple(DOMAINS), kill_at=None, **settings):
    made = algorithm(
        **{"steps": 4, "learning_rate": 1e-3, "prompts_per_step": 6, "generations": 4, "save_every": 2} | settings
    )
    chosen = [
        TrainingDomain(name=name, domain=domain(LabDomainConfig(prompts=8)), reward=reward(NoConfig()))
        for name, (domain, reward) in DOMAINS.items()
        if name in domains
    ]
    context = training_in(folder, FOLDER, chosen, kill_at=kill_at, seed=7)
    result = made.train(context)
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return result, load_file(context.output / "model.safetensors"), metrics


def same(first, second):
    return all(first[name].equal(tensor) for name, tensor in second.items())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return train(tmp_path_factory.mktemp("mgs"), mgs)


def test_every_step_says_how_the_domains_conflict(undisturbed):
    result, _, metrics = undisturbed
    assert len(metrics) == 4
    for row in metrics:
        for pair in ("code|math", "code|cw", "math|cw"):
            assert -1 <= row[f"surgery/module_cosine_min/{pair}"] <= row[f"surgery/module_cosine_mean/{pair}"] <= 1
            assert -1 <= row[f"surgery/cosine/{pair}"] <= 1
            assert 0 <= row[f"surgery/conflict_share/{pair}"] <= 1
            assert row[f"surgery/norm_ratio/{pair}"] > 0
        assert row["surgery/norm_after"] == pytest.approx(row["grad_norm"], rel=1e-4)
    table = result.report["conflict_by_module"]
    assert {
        "embeddings",
        "norm",
        *(f"layers.{i}.{kind}" for i in range(4) for kind in ("self_attn", "mlp", "norms")),
    } == {row["module"] for row in table}
    assert all(row["steps"] == 4 for row in table)
    shares = [row["conflict_share"] for row in table]
    noted = [row["surgery/conflict_share"] for row in metrics]
    assert sum(shares) / len(shares) == pytest.approx(sum(noted) / len(noted)) and sum(shares) > 0


@pytest.mark.parametrize("kill_at", [1, 3])
def test_a_killed_step_goes_on_to_the_same_weights(tmp_path, undisturbed, kill_at):
    result, weights, metrics = undisturbed
    with pytest.raises(Killed):
        train(tmp_path, mgs, kill_at=kill_at)
    resumed, resumed_weights, resumed_metrics = train(tmp_path, mgs)
    assert same(resumed_weights, weights)
    assert resumed.report.keys() == result.report.keys()
    assert repeatable(resumed.report) == repeatable(result.report)
    surgery = [{k: v for k, v in row.items() if k.startswith("surgery")} for row in metrics]
    assert [{k: v for k, v in row.items() if k.startswith("surgery")} for row in resumed_metrics] == surgery


def test_smaller_passes_and_generation_rounds_resume_too(tmp_path):
    settings = {"completions_per_device": 12, "trl": {"steps_per_generation": 4}, "steps": 6}
    _, weights, _ = train(tmp_path / "a", mgs, **settings)
    with pytest.raises(Killed):
        train(tmp_path / "b", mgs, kill_at=5, **settings)
    _, resumed, _ = train(tmp_path / "b", mgs, **settings)
    assert same(resumed, weights)


def test_over_all_parameters_it_is_pcgrad_bit_for_bit(tmp_path, undisturbed):
    _, modular, _ = undisturbed
    _, everywhere, metrics = train(tmp_path / "mgs", mgs, granularity="global")
    _, pcgrad_weights, _ = train(tmp_path / "pcgrad", pcgrad)
    assert any(row["surgery/norm_after"] != row["surgery/norm_before"] for row in metrics)
    assert same(everywhere, pcgrad_weights)
    assert not same(everywhere, modular)


def test_on_one_domain_it_is_grpo_bit_for_bit(tmp_path):
    _, plain, _ = train(tmp_path / "grpo", grpo, domains=["math"])
    result, weights, metrics = train(tmp_path / "mgs", mgs, domains=["math"])
    assert same(weights, plain)
    assert result.report["conflict_by_module"] == []
    assert metrics[0]["surgery/norm_before"] == metrics[0]["surgery/norm_after"]
