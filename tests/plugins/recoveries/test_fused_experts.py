"""What needs gradients by stored weight stops before a run on a model whose experts are fused while it is loaded."""

import pytest
from expert_model import expert_checkpoint

from harness import CheckpointError, LineageEntry, ProbeContext, RecoveryContext, StartContext
from harness.testing import tiny_checkpoint, tiny_domains
from harness.testing.tiny_world import nudged_checkpoint
from harness_probes.config import DomainsConfig
from harness_probes.second_order_damage import SecondOrderDamage
from harness_recoveries.rollback.config import CurveConfig, RollbackConfig
from harness_recoveries.rollback.curve import RollbackCurve
from harness_recoveries.rollback.recovery import Rollback
from harness_theory.causal_split import CausalSplit
from harness_theory.config import CausalSplitConfig, ContractionConfig, SignedCurvatureConfig
from harness_theory.contraction import Contraction
from harness_theory.signed_curvature import SignedCurvature

NEEDS_GRADIENTS = [
    Rollback(RollbackConfig(score="fisher")),
    Rollback(RollbackConfig(score="gradient")),
    RollbackCurve(CurveConfig()),
    SecondOrderDamage(DomainsConfig()),
    CausalSplit(CausalSplitConfig()),
    SignedCurvature(SignedCurvatureConfig()),
    Contraction(ContractionConfig()),
]
NEEDS_NONE = [Rollback(RollbackConfig(score="magnitude")), RollbackCurve(CurveConfig(scores=("random",)))]


@pytest.fixture(scope="module")
def experts(tmp_path_factory):
    return expert_checkpoint(tmp_path_factory.mktemp("model") / "experts")


@pytest.mark.parametrize("plugin", NEEDS_GRADIENTS, ids=lambda plugin: type(plugin).__name__)
def test_the_start_of_a_run_says_so(experts, tmp_path, plugin):
    with pytest.raises(CheckpointError, match="other names in the files"):
        list(plugin.faults_at_start(StartContext(model=experts)))
    dense = tiny_checkpoint(tmp_path / "dense")
    assert list(plugin.faults_at_start(StartContext(model=dense))) == []


@pytest.mark.parametrize("plugin", NEEDS_NONE, ids=lambda plugin: type(plugin).__name__)
def test_other_scores_run(experts, plugin):
    assert list(plugin.faults_at_start(StartContext(model=experts))) == []


def lineage(experts, folder):
    nudged = [nudged_checkpoint(experts, folder / name, seed=seed) for seed, name in enumerate(("one", "two"))]
    entries = zip(((), ("one",), ("two",)), (experts, *nudged), strict=True)
    return [
        LineageEntry(step=step, label=str(step), domains=domains, folder=model)
        for step, (domains, model) in enumerate(entries)
    ]


def unsampled(*_, **__):
    raise AssertionError("completions were sampled")


def test_nothing_is_sampled_before(experts, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.training.policy_gradients.sample_policy", unsampled)
    monkeypatch.setattr("harness_probes.second_order_damage.sample_policy", unsampled)
    common = {"domains": tiny_domains(), "scratch": tmp_path, "seed": 0, "progress": lambda *_: None}
    entries = lineage(experts, tmp_path)
    with pytest.raises(CheckpointError, match="other names in the files"):
        SecondOrderDamage(DomainsConfig()).measure(ProbeContext(lineage=entries, **common))
    output = tmp_path / "output"
    output.mkdir()
    context = RecoveryContext(
        lineage=entries, target="one", peak=1, output=output, metrics=tmp_path / "metrics.jsonl", **common
    )
    with pytest.raises(CheckpointError, match="other names in the files"):
        Rollback(RollbackConfig(score="gradient")).recover(context)
    result = Rollback(RollbackConfig(score="magnitude")).recover(context)
    assert result.report["coordinates"] > 0
