"""A run that stores adapters gives the same numbers as one that stores full models."""

import json
import shutil

import pytest
from command import harness
from safetensors.torch import load_file

PROTOCOL = """\
schema: 1
name: lora-OUTPUT
summary: Adapters on adapters, read by every kind of step
model: {use: lab-tiny}
domains: {math: {use: lab-math, prompts: 16}, cw: {use: lab-cw, prompts: 16}}
train:
  {with: grpo, steps: 1, learning_rate: 6.0e-3, prompts_per_step: 4, generations: 4, lora: {rank: 4, output: OUTPUT}}
evaluate: {limit: 8, batch_size: 8}
methods:
  re-math:  [math, cw, {recover: math, with: refresh, steps: 1}]
  rollback: [math, cw, {recover: math, with: rollback, fraction: 0.2, score: fisher, completions: 8}]
probes: [{use: edit-sparsity}]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Returns a function from `adapter` or `full` to (run folder, leaderboard rows by method); each runs once."""
    folder = tmp_path_factory.mktemp("lora")
    made = {}

    def runs(output):
        if output not in made:
            path = folder / f"{output}.yaml"
            path.write_text(PROTOCOL.replace("OUTPUT", output))
            harness("run", path, "-o", folder / f"runs-{output}", "--delta-checkpoints", "never")
            [place] = (folder / f"runs-{output}").glob("lora-*")
            rows = json.loads((place / "leaderboard.json").read_text())["rows"]
            made[output] = place, {row["method"]: row for row in rows}
        return made[output]

    return runs


def checkpoints(row):
    return [step["checkpoints"][0] for step in row["trajectory"]]


def stored(run_folder, key):
    return run_folder.parent / "store" / key / "model"


def test_scores_are_those_of_whole_models(run):
    (_, adapters), (_, whole) = run("adapter"), run("full")
    for method in ("re-math", "rollback"):
        scores = [[step["scores"] for step in rows[method]["trajectory"]] for rows in (adapters, whole)]
        assert scores[0] == scores[1]
    assert adapters["re-math"]["cost"]["completions"] == whole["re-math"]["cost"]["completions"] == 48


def test_trainings_are_kept_as_adapters_and_recoveries_whole(run):
    folder, rows = run("adapter")
    base, math, cw, again = checkpoints(rows["re-math"])
    for key in (math, cw):
        assert (stored(folder, key) / "adapter_config.json").is_file()
        assert not (stored(folder, key) / "config.json").exists()
    for key in (again, checkpoints(rows["rollback"])[-1]):
        assert (stored(folder, key) / "model.safetensors").is_file()
        assert {path.name for path in stored(folder, key).parent.iterdir()} == {
            "DEFINITION.json", "DONE.json", "model", "metrics.jsonl", "result.json",
        }  # fmt: skip
    assert not (stored(folder, base)).exists()


def test_an_exported_adapter_is_the_whole_model_of_the_other_run(run, tmp_path):
    (adapters, _), (whole, rows) = run("adapter"), run("full")
    harness("export", adapters, "re-math", tmp_path / "model", "--step", 2)
    exported = load_file(tmp_path / "model" / "model.safetensors")
    other = load_file(stored(whole, checkpoints(rows["re-math"])[2]) / "model.safetensors")
    assert exported.keys() == other.keys()
    assert all(exported[name].equal(other[name]) for name in other)


def test_restored_models_go_with_who_made_them(run, tmp_path):
    folder, _ = run("adapter")
    restored = folder.parent / "store" / ".restored"
    assert not any(restored.iterdir())
    harness("export", folder, "re-math", tmp_path / "model", "--step", 2)
    assert (tmp_path / "model" / "tokenizer.json").is_file()
    assert not any(restored.iterdir())
    assert harness("run", folder / "protocol.yaml", "-o", folder.parent).returncode == 0


def test_an_adapter_whose_base_is_missing_is_told_with_its_plugin(run, tmp_path):
    folder, rows = run("adapter")
    copy = tmp_path / "runs"
    shutil.copytree(folder.parent, copy)
    _, math, cw, _ = checkpoints(rows["re-math"])
    shutil.rmtree(copy / "store" / math)
    told = harness("export", copy / folder.name, "re-math", tmp_path / "model", "--step", 2, expect=2).stderr
    assert "mdrl-harness" in told and "algorithm 'grpo'" in told
    assert "its base (math) is missing" in told
    model = stored(copy / folder.name, cw)
    (tmp_path / "bad.yaml").write_text(
        PROTOCOL.replace("{use: lab-tiny}", f"{{pretrained: {model}}}").replace("OUTPUT", "full")
    )
    told = harness("plan", tmp_path / "bad.yaml", expect=2).stderr
    assert "mdrl-harness" in told and "model 'pretrained'" in told
    assert "holds an adapter and no model" in told
