"""A run with `recover: all`: merges, a rollback and a probe measure a curvature once; a lost stage comes back."""

import json
import shutil
from collections import Counter

import pytest
from command import harness

PROTOCOL = """schema: 1
name: stages
model: {use: lab-tiny}
domains:
  math: {use: lab-math, prompts: 64}
  cw:   {use: lab-cw, prompts: 64}
train: {with: grpo, steps: 2, learning_rate: 6.0e-4, prompts_per_step: 4, generations: 4}
evaluate: {limit: 8, batch_size: 8}
methods:
  rollback: [math, cw, {recover: math, with: rollback, fraction: 0.05, completions: 8}]
  policy:   [math, cw, {recover: all, with: consolidate, weights: policy-fisher, completions: 8}]
  uniform:  [math, cw, {recover: all, with: consolidate, weights: uniform}]
probes: [{use: rollback-curve, target: math, scores: [fisher], points: 1, draws: 1, completions: 8}]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages")
    (folder / "stages.yaml").write_text(PROTOCOL)
    harness("run", folder / "stages.yaml", "-o", folder / "runs")
    return folder


def record(run):
    (path,) = (run / "runs").glob("stages-*/leaderboard.json")
    return {row["method"]: row for row in json.loads(path.read_text())["rows"]}


def cached(run):
    found = Counter()
    for path in (run / "runs" / "store").glob("*/DEFINITION.json"):
        definition = json.loads(path.read_text())["definition"]
        if definition["kind"] == "shared":
            found[definition["name"], definition["domain"]["name"]] += 1
    return found


def test_a_curvature_is_measured_once_for_merges_rollbacks_and_probes(run):
    assert cached(run) == {("fisher", "math"): 1, ("fisher", "cw"): 1}


def test_a_recovery_of_all_has_the_numbers_of_each_target(run):
    rows = record(run)
    recovery = rows["policy"]["recovery"]
    assert (recovery["target"], sorted(recovery["targets"])) == ("all", ["cw", "math"])
    peaks = [recovery["targets"][name]["peak"]["mean"] for name in ("math", "cw")]
    assert recovery["peak"]["mean"] == pytest.approx(sum(peaks) / 2)
    assert (recovery["cost"]["completions"], rows["uniform"]["recovery"]["cost"]["completions"]) == (16, 0)
    assert rows["rollback"]["recovery"]["targets"] == {}
    assert "all" in harness("show", next((run / "runs").glob("stages-*"))).stdout


def test_a_stage_that_the_store_has_lost_is_trained_again_with_the_same_result(run):
    rows = record(run)
    before = rows["uniform"]["scores"]
    _, stage, _, merged = rows["uniform"]["trajectory"]
    for step in (stage, merged):
        shutil.rmtree(run / "runs" / "store" / step["checkpoints"][0])
    harness("run", run / "stages.yaml", "-o", run / "runs")
    assert record(run)["uniform"]["scores"] == before
