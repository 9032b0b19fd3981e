"""The signed quadratic model of a reward, and the share of weights that rounding hides."""

import pytest
import torch
from torch.testing import assert_close

from harness import LineageEntry, NoConfig, ProbeContext
from harness.testing.tiny_world import tiny_checkpoint, tiny_domains, tiny_lineage
from harness.training import sample_policy
from harness.weights import WeightFolder, write_patched
from harness_theory.config import SignedCurvatureConfig
from harness_theory.rounding import RoundedSparsity
from harness_theory.sampled_policy import SampledPolicy, advantages_of, expected_reward
from harness_theory.signed_curvature import SignedCurvature

DOMAIN = tiny_domains()["one"]


def context_of(lineage, scratch):
    return ProbeContext(lineage=lineage, domains=tiny_domains(), scratch=scratch, seed=1, progress=lambda *told: None)


def edited(source, output, edit):
    output.mkdir()
    write_patched(WeightFolder(source), output, edit)
    return output


def test_the_terms_are_those_of_the_taylor_series_of_the_sampled_reward(tmp_path):
    lineage = tiny_lineage(tmp_path / "lineage")
    config = SignedCurvatureConfig(scales=(0.5, 1.0), completions=24)
    half, whole = SignedCurvature(config).measure(context_of(lineage, tmp_path))
    assert (whole["target"], whole["against"], whole["completions"]) == ("one", "two", 24)
    assert whole["gradient_term"] == pytest.approx(2 * half["gradient_term"], rel=1e-6)
    assert whole["curvature_term"] == pytest.approx(4 * half["curvature_term"], rel=1e-6)
    assert whole["expected_loss"] == pytest.approx(whole["gradient_term"] + whole["curvature_term"])
    model, samples, rows = sample_policy(lineage[1].folder, DOMAIN, count=24, seed=1)
    policy = SampledPolicy(model, samples)
    term = expected_reward(advantages_of(samples, rows, DOMAIN)[0])
    old, new = WeightFolder(lineage[1].folder), WeightFolder(lineage[2].folder)
    delta = policy.flat(lambda name: new.read(name) - old.read(name))
    assert whole["norm"] == pytest.approx(float(delta.norm()), rel=1e-5)
    assert whole["gradient_term"] == pytest.approx(-float(policy.gradient(term) @ delta), rel=1e-3, abs=1e-6)
    assert whole["curvature_term"] == pytest.approx(-0.5 * float(policy.product(term, delta) @ delta), rel=1e-3)


def test_an_update_that_makes_the_reward_worse_loses_and_the_opposite_gains(tmp_path):
    """Where the policy has learned nothing, a step along the reward's gradient gains what the terms say."""
    base = tiny_checkpoint(tmp_path / "base")
    model, samples, rows = sample_policy(base, DOMAIN, count=64, seed=1)
    policy = SampledPolicy(model, samples)
    slope = policy.by_name(policy.gradient(expected_reward(advantages_of(samples, rows, DOMAIN)[0])))
    size = 0.1 / sum(float(part.square().sum()) for part in slope.values()) ** 0.5
    losses = {}
    for name, sign in (("worse", -1), ("better", 1)):
        after = edited(base, tmp_path / name, lambda key, tensor, sign=sign: tensor + sign * size * slope[key])
        lineage = [
            LineageEntry(step=0, label="base", domains=(), folder=base),
            LineageEntry(step=1, label="one", domains=("one",), folder=base),
            LineageEntry(step=2, label=name, domains=("two",), folder=after),
        ]
        scratch = tmp_path / f"scratch-{name}"
        scratch.mkdir()
        config = SignedCurvatureConfig(scales=(1.0,), completions=64)
        [losses[name]] = SignedCurvature(config).measure(context_of(lineage, scratch))
    assert losses["worse"]["gradient_term"] > 0 > losses["better"]["gradient_term"]
    assert losses["worse"]["gradient_term"] == pytest.approx(-losses["better"]["gradient_term"], rel=1e-3)
    for row in losses.values():
        assert row["expected_stderr"] > 0 and row["measured_stderr"] >= 0


def test_an_update_of_nothing_loses_nothing(tmp_path):
    base = tiny_checkpoint(tmp_path / "base")
    lineage = [
        LineageEntry(step=step, label=label, domains=domains, folder=base)
        for step, (label, domains) in enumerate([("base", ()), ("one", ("one",)), ("two", ("two",))])
    ]
    [row] = SignedCurvature(SignedCurvatureConfig(scales=(1.0,), completions=16)).measure(context_of(lineage, tmp_path))
    assert row["expected_loss"] == row["measured_loss"] == row["measured_stderr"] == row["norm"] == 0
    assert SignedCurvature(SignedCurvatureConfig(target="two")).measure(context_of(lineage, tmp_path)) == []


def test_small_changes_are_lost_in_bf16_and_large_ones_are_not(tmp_path):
    base = edited(tiny_checkpoint(tmp_path / "made"), tmp_path / "base", lambda _, tensor: torch.ones_like(tensor))

    def changed(name, tensor):
        if "mlp.up_proj" in name:
            return tensor + 1e-4  # a tenth of the relative threshold, but above the absolute one
        if "mlp.down_proj" in name:
            return tensor + 0.1
        return tensor

    after = edited(base, tmp_path / "after", changed)
    lineage = [
        LineageEntry(step=0, label="base", domains=(), folder=base),
        LineageEntry(step=1, label="one", domains=("one",), folder=after),
    ]
    rows = {row["precision"]: row for row in RoundedSparsity(NoConfig()).measure(context_of(lineage, tmp_path))}
    folder = WeightFolder(base)
    up, down = (
        sum(folder.place(name).count for name in folder.names() if part in name) for part in ("up_proj", "down_proj")
    )
    total = rows["fp32"]["parameters"]
    assert rows["fp32"]["edited_share"] == rows["fp32"]["differing_share"] == pytest.approx((up + down) / total)
    assert rows["bf16"]["edited_share"] == rows["bf16"]["differing_share"] == pytest.approx(down / total)


def test_fp32_counts_are_those_of_the_other_probe(tmp_path):
    from harness.weights import delta_summary

    lineage = tiny_lineage(tmp_path / "lineage")
    rows = RoundedSparsity(NoConfig()).measure(context_of(lineage, tmp_path))
    expected = delta_summary(WeightFolder(lineage[0].folder), WeightFolder(lineage[1].folder))
    assert rows[0]["edited_share"] == pytest.approx(1 - expected.unchanged_share)
    assert_close(torch.tensor(rows[1]["differing_share"]), torch.tensor(rows[0]["differing_share"]), rtol=0.5, atol=0)
