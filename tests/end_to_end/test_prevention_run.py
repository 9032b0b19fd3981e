"""Rules of updates in a run: an algorithm that reads the lineage gets it, and its measurements are shared."""

import json

import pytest
from safetensors.torch import load_file

import harness

PROTOCOL = """schema: 1
name: prevention
model: {use: lab-tiny}
domains:
  math: {use: lab-math, prompts: 64}
  qa:   {use: lab-qa, prompts: 64}
  cw:   {use: lab-cw, prompts: 64}
train: {with: grpo, steps: 1, learning_rate: 6.0e-4, prompts_per_step: 2, generations: 4}
evaluate: {limit: 8, batch_size: 8}
methods:
  plain: [math, qa, cw]
  freeze:
    - {train: math, freeze: {fraction: 0.2, completions: 8}}
    - {train: qa, freeze: {fraction: 0.2, completions: 8}}
    - {train: cw, freeze: {fraction: 0.2, completions: 8}}
  few: [math, {train: qa, freeze: {fraction: 0.1, completions: 8}}]
  ewc: [math, {train: qa, with: anchored, anchor: ewc, fisher_completions: 8}]
  subspace: [math, qa, {train: cw, subspace: {rank: 2}}]
  chain:
    - math
    - qa
    - {recover: math, with: rollback, completions: 8}
    - {recover: math, with: refresh, mask: {completions: 8}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prevention")
    (folder / "prevention.yaml").write_text(PROTOCOL)
    return harness.run(folder / "prevention.yaml", output=folder / "runs")


def results_of(run, method):
    [lineage] = [one.lineage for one in run.plan.methods if one.name == method]
    return [json.loads(next(run.folder.parent.rglob(f"{key}/result.json")).read_text()) for key in lineage[1:]]


def weights_of(run, method, step):
    return load_file(run.checkpoint(method, step=step) / "model.safetensors")


def test_freeze_has_an_effect_after_the_first_training(run):
    first, second, third = results_of(run, "freeze")
    assert first["report"]["freeze"]["reason"] == "no domain was trained before"
    assert second["report"]["freeze"]["domains"] == ["math"]
    assert third["report"]["freeze"]["domains"] == ["math", "qa"]
    assert [one["cost"]["completions"] for one in (first, second, third)] == [8, 16, 24]
    before, after = (weights_of(run, "freeze", step) for step in (2, 3))
    assert sum(int(before[name].eq(after[name]).sum()) for name in before) >= third["report"]["freeze"]["frozen"]


def test_subspace_scaling_reads_every_earlier_training(run):
    assert results_of(run, "subspace")[-1]["report"]["subspace"] == {"stages": 2}


def test_a_chain_of_recoveries_is_reported_as_two_of_one_target(run):
    row = run.record.row("chain")
    assert [one.plugin for one in row.recoveries] == ["rollback", "refresh"]
    assert row.recovery.peak.mean == row.earlier_recoveries[0].peak.mean
    rolled_back, refreshed = results_of(run, "chain")[2:]
    assert refreshed["report"]["mask"]["coordinates"] == rolled_back["report"]["coordinates"]
    assert refreshed["report"]["coordinates"] <= rolled_back["report"]["coordinates"]


def test_a_training_that_reads_the_lineage_has_the_key_of_its_definition(run):
    """The definition names the parent alone, whose key covers the lineage."""
    [lineage] = [one.lineage for one in run.plan.methods if one.name == "freeze"]
    node = run.plan.nodes[lineage[3]]
    assert node.parents == lineage[:3]
    assert run.plan.definition_of(node.key)["parent"] == lineage[2]
    plain = next(one.lineage for one in run.plan.methods if one.name == "plain")
    assert run.plan.nodes[plain[3]].parents == (plain[2],)
    assert "freeze" not in run.plan.definition_of(plain[3])["train"]["config"]


def test_the_curvature_of_a_checkpoint_is_measured_once_for_all_that_need_it(run):
    """After math: for a freeze, an EWC, a rollback and the mask of a refresh."""
    [lineage] = [one.lineage for one in run.plan.methods if one.name == "plain"]
    found = [json.loads(path.read_text())["definition"] for path in run.folder.parent.rglob("DEFINITION.json")]
    after_math = [one for one in found if one["kind"] == "shared" and one["checkpoint"] == lineage[1]]
    assert [one["name"] for one in after_math] == ["fisher"]
