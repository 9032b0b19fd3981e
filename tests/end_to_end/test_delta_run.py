"""A run that stores deltas gives the same bytes as one that stores full models."""

import json
import shutil

import pytest
from command import harness

PROTOCOL = """\
schema: 1
name: deltas
summary: Deltas on deltas, read by every kind of step
model: {use: lab-tiny}
domains: {math: {use: lab-math, prompts: 16}, cw: {use: lab-cw, prompts: 16}}
train: {with: grpo, steps: 1, learning_rate: 6.0e-4, prompts_per_step: 4, generations: 4}
evaluate: {limit: 8, batch_size: 8}
methods:
  math:     [math]
  cw:       [cw]
  re-math:  [math, cw, {recover: math, with: refresh, steps: 1}]
  rollback: [math, cw, {recover: math, with: rollback, fraction: 0.2, score: fisher, completions: 8}]
  merged:   [{merge: [math, cw], with: linear}]
probes: [{use: edit-sparsity}]
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Returns the run folders by how models were kept."""
    folder = tmp_path_factory.mktemp("deltas")
    (folder / "deltas.yaml").write_text(PROTOCOL)
    made = {}
    for kept in ("never", "always"):
        harness("run", folder / "deltas.yaml", "-o", folder / kept, "--delta-checkpoints", kept)
        [made[kept]] = (folder / kept).glob("deltas-*")
    return made


def stored(run):
    return {path.parent.name: path.parent for path in (run.parent / "store").glob("*/DONE.json")}


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def steps(run):
    """Returns (method, step, key) of every checkpoint but the base."""
    rows = [row for row in json.loads((run / "leaderboard.json").read_text())["rows"] if not row.get("reference")]
    return [(row["method"], n, step["checkpoints"][0]) for row in rows for n, step in enumerate(row["trajectory"]) if n]


def test_scores_and_probes_are_those_of_whole_models(runs):
    whole, deltas = stored(runs["never"]), stored(runs["always"])
    assert whole.keys() == deltas.keys()
    measured = [key for key, folder in whole.items() if (folder / "rows.json").is_file()]
    assert len(measured) > 10
    for key in measured:
        for path in sorted(whole[key].glob("*.json*")):
            if path.name not in ("DONE.json", "lm_eval.json"):
                assert (deltas[key] / path.name).read_bytes() == path.read_bytes()
    models = [folder / "model" for folder in deltas.values() if (folder / "model").exists()]
    assert len(models) == 6
    assert all((model / "delta.json").is_file() for model in models)


def test_every_step_is_exported_as_the_whole_model_it_was(runs, tmp_path):
    taken = {key: (method, step) for method, step, key in steps(runs["always"])}
    assert len(taken) == 6
    for key, (method, step) in taken.items():
        harness("export", runs["always"], method, tmp_path / key, "--step", step)
        exported = contents(tmp_path / key)
        exported.pop("README.md")
        assert exported == contents(stored(runs["never"])[key] / "model")
    assert not any((runs["always"].parent / "store" / ".restored").iterdir())


def test_a_run_goes_on_from_deltas_whatever_the_switch_says_now(runs, tmp_path):
    shutil.copytree(runs["always"].parent, tmp_path / "runs")
    [run] = (tmp_path / "runs").glob("deltas-*")
    last = {method: key for method, _, key in steps(run)}
    for key in (last["re-math"], last["rollback"], last["merged"]):
        shutil.rmtree(tmp_path / "runs" / "store" / key)
    harness("run", run / "protocol.yaml", "-o", tmp_path / "runs", "--delta-checkpoints", "never")
    whole, again = stored(runs["never"]), stored(run)
    for key in (last["re-math"], last["rollback"], last["merged"]):
        assert contents(again[key] / "model") == contents(whole[key] / "model")


def test_an_export_needs_the_recorded_plan_and_not_the_versions_of_the_run(runs, tmp_path):
    shutil.copytree(runs["always"].parent, tmp_path / "runs")
    [run] = (tmp_path / "runs").glob("deltas-*")
    (run / "protocol.yaml").write_text("what another version of the harness would plan otherwise")
    harness("export", run, "re-math", tmp_path / "model", "--step", 2)
    plan = json.loads((run / "plan.json").read_text())
    plan["nodes"][0]["fingerprint"] = "of another base"
    (run / "plan.json").write_text(json.dumps(plan))
    told = harness("export", run, "re-math", tmp_path / "other", "--step", 2, expect=2).stderr
    assert "the base model of this checkpoint has changed" in told


def test_readers_of_a_run_take_deltas(runs, tmp_path):
    run = runs["always"]
    harness("leaderboard", "add", run, "-d", tmp_path / "board")
    harness("leaderboard", "validate", tmp_path / "board" / "leaderboard.json")
    harness("report", run, "-o", tmp_path / "report.html")
    arguments = ("--check", run, "--completions", 32, "--seeds", 0, "--json")
    told = json.loads(harness("predict", run / "protocol.yaml", *arguments).stdout)
    assert told
    assert not any((run.parent / "store" / ".restored").iterdir())


def test_a_misspelt_switch_is_refused(tmp_path):
    told = harness("run", "smoke", "-o", tmp_path, "--delta-checkpoints", "sometimes", expect=2).stderr
    assert "sometimes" in told and "always" in told
    assert not any(tmp_path.iterdir())
