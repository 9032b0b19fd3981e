"""Contraction: the distance from the peak in a subspace, where the answers are known."""

import math

import pytest
import torch

from harness import LineageEntry, ProbeContext
from harness.testing.tiny_world import tiny_domains, tiny_lineage
from harness.training import sample_policy
from harness.weights import WeightFolder
from harness_theory.config import ContractionConfig
from harness_theory.contraction import Contraction
from harness_theory.eigenvectors import curvature_subspace
from harness_theory.sampled_policy import SampledPolicy
from harness_theory.updates import shifted

CONFIG = ContractionConfig(curvature="policy-fisher", rank=3, completions=24, every=2, draws=2)


@pytest.fixture
def world(tmp_path):
    """A lineage whose recovery halves the displacement in the target's subspace every two steps, and nothing else."""
    lineage = tiny_lineage(tmp_path / "lineage")
    peak, damaged = lineage[1].folder, lineage[2].folder

    def context(states=None, domains=("one",)):
        recovery = LineageEntry(step=3, label="recover one", domains=domains, folder=damaged)
        return ProbeContext(
            lineage=[*lineage, recovery],
            domains=tiny_domains(),
            scratch=tmp_path,
            seed=1,
            progress=lambda *told: None,
            states={3: states or {}},
        )

    model, samples, _ = sample_policy(peak, tiny_domains()["one"], count=8, seed=1)
    policy = SampledPolicy(model, samples)
    subspace = curvature_subspace(context(), CONFIG, lineage[1], tiny_domains()["one"])
    old, new = WeightFolder(peak), WeightFolder(damaged)
    inside = subspace.project(policy.flat(lambda name: new.read(name) - old.read(name)))

    def with_states(steps):
        states = {}
        for step in steps:
            # `shifted` deletes its folder, so what it wrote is moved away.
            with shifted(damaged, policy, (0.5 ** (step / 2) - 1) * inside, tmp_path / "made") as folder:
                states[step] = folder.rename(tmp_path / f"state-{step}")
        return states

    return context, with_states


def test_a_contraction_is_a_straight_line_and_the_rest_stays(world):
    context, with_states = world
    rows = Contraction(CONFIG).measure(context(with_states((4, 2))))
    assert [row["optimizer_step"] for row in rows if row["part"] == "subspace"] == [0, 2, 4]
    logs = {(row["part"], row["optimizer_step"], row["draw"]): row["log_ratio"] for row in rows}
    assert logs["subspace", 0, 0] == 0
    assert logs["subspace", 2, 0] == pytest.approx(math.log(0.5), abs=1e-3)
    assert logs["subspace", 4, 0] == pytest.approx(math.log(0.25), abs=1e-3)
    assert logs["complement", 4, 0] == pytest.approx(0, abs=1e-4)
    assert {(part, draw) for part, _, draw in logs} == {
        ("subspace", 0),
        ("complement", 0),
        ("random-subspace", 0),
        ("random-subspace", 1),
    }
    distances = {(row["part"], row["draw"]): row["distance"] for row in rows if row["optimizer_step"] == 0}
    assert distances["random-subspace", 0] != distances["random-subspace", 1]
    assert distances["complement", 0] > distances["subspace", 0] > 0


def test_a_recovery_of_another_domain_has_no_rows(world):
    context, with_states = world
    assert Contraction(CONFIG).measure(context(with_states((2,)), domains=("two",))) == []


def test_a_model_that_is_back_at_the_peak_has_no_logarithm(world, tmp_path):
    context, _ = world
    peak = context().lineage[1].folder
    rows = Contraction(CONFIG).measure(context({2: peak}))
    assert {row["log_ratio"] for row in rows if row["optimizer_step"] == 2} == {None}
    assert {row["distance"] for row in rows if row["optimizer_step"] == 2} == {0.0}
    assert torch.isfinite(torch.tensor([row["distance"] for row in rows])).all()
