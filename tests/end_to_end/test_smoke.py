"""The packaged protocol `smoke` with TRL and lm-eval: run, repeated run, show, export, and bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import harness
from safetensors.torch import load_file


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("smoke") / "runs"
    harness("run", "smoke", "-o", folder)
    return folder


@pytest.fixture(scope="module")
def leaderboard(runs):
    (path,) = runs.glob("smoke-*/leaderboard.json")
    return json.loads(path.read_text())


def row(leaderboard, method):
    return next(row for row in leaderboard["rows"] if row["method"] == method)


def test_every_method_is_ranked_and_paid_for(leaderboard):
    assert leaderboard["columns"] == ["math", "cw"]
    ranked = {r["method"]: r for r in leaderboard["rows"] if not r["reference"]}
    assert set(ranked) == {"sequential", "re-math", "rollback", "mixed"}
    assert all(r["rank"] is not None for r in ranked.values())
    assert ranked["sequential"]["cost"]["optimizer_steps"] == 4
    assert ranked["re-math"]["cost"]["completions"] == 80
    assert ranked["rollback"]["cost"]["optimizer_steps"] == 4
    assert ranked["mixed"]["recovery"] is None


def test_a_recovery_is_reported_with_its_target_peak_and_damage(leaderboard):
    recovery = row(leaderboard, "rollback")["recovery"]
    trajectory = row(leaderboard, "rollback")["trajectory"]
    assert recovery["target"] == "math"
    assert recovery["peak"]["mean"] == trajectory[1]["scores"]["math"]["mean"]
    assert recovery["damaged"]["mean"] == trajectory[2]["scores"]["math"]["mean"]
    assert recovery["recovered"]["mean"] == row(leaderboard, "rollback")["scores"]["math"]["mean"]


def test_a_second_run_makes_nothing(runs):
    again = json.loads(harness("run", "smoke", "-o", runs, "--json").stdout)
    assert again["executed"] == 0


def test_curves_of_a_finished_run_are_passed_on_without_making_anything(runs):
    pytest.importorskip("tensorboard")
    pytest.importorskip("trackio")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    watched = ["--observer", "tensorboard", "--observer", "trackio"]
    again = harness("run", "smoke", "-o", runs, "--json", *watched)
    assert json.loads(again.stdout)["executed"] == 0
    assert "warning" not in again.stderr
    [folder] = runs.glob("smoke-*")
    read = EventAccumulator(str(folder / "tensorboard" / "train math (seed 0)"))
    read.Reload()
    logged = [json.loads(line) for line in metrics_of_math(runs, folder).splitlines()]
    rewards = [(event.step, pytest.approx(event.value)) for event in read.Scalars("reward")]
    assert [(row["step"], row["reward"]) for row in logged] == rewards
    command = [sys.executable, "-m", "trackio.cli", "get", "metric", "--project", folder.name, "--json"]
    told = subprocess.run(
        [*command, "--run", "scores of re-math (seed 0)", "--metric", "cw"],
        env=os.environ | {"TRACKIO_DIR": str(folder / "trackio")},
        capture_output=True,
        text=True,
        check=True,
    )
    trajectory = json.loads((folder / "leaderboard.json").read_text())["rows"]
    [steps] = [row["trajectory"] for row in trajectory if row["method"] == "re-math"]
    values = [(value["step"], pytest.approx(100 * value["value"])) for value in json.loads(told.stdout)["values"]]
    assert [(number, step["scores"]["cw"]["mean"]) for number, step in enumerate(steps)] == values


def metrics_of_math(runs, folder) -> str:
    """Returns the stored metrics of the training of math from the base."""
    plan = json.loads((folder / "plan.json").read_text())
    [key] = [node["key"] for node in plan["nodes"] if node["kind"] == "train" and node["label"] == "math"]
    return (runs / "store" / key / "metrics.jsonl").read_text()


def test_the_status_of_a_finished_run(runs):
    status = json.loads(harness("status", "smoke", "-o", runs, "--json").stdout)
    assert (status["state"], status["counts"]["done"]) == ("finished", len(status["nodes"]))


def test_the_rollback_says_what_it_changed(runs):
    reports = [json.loads(path.read_text())["report"] for path in runs.glob("store/*/result.json")]
    (rollback,) = [report for report in reports if report.get("score") == "fisher"]
    assert rollback["coordinates"] == round(0.05 * rollback["eligible_coordinates"])
    assert rollback["eligible_coordinates"] < rollback["all_coordinates"]
    assert 0 < rollback["norm"] < rollback["norm_of_edit_since_peak"]
    (refresh,) = [report for report in reports if "edit" in report]
    assert refresh["coordinates"] > 0 and refresh["norm"] > 0


def test_training_metrics_and_probe_rows_are_in_the_store(runs):
    metrics = [json.loads(line) for path in runs.glob("store/*/metrics.jsonl") for line in path.open()]
    assert len(metrics) == 2 + 2 + 1 + 2
    assert all({"reward", "entropy", "grad_norm", "completions/mean_length"} <= set(line) for line in metrics)
    assert {name for line in metrics for name in line if name.startswith("reward/")} == {"reward/math", "reward/cw"}
    rows = [r for path in runs.glob("store/*/rows.json") for r in json.loads(path.read_text()) if "edit_norm" in r]
    assert all(0 <= r["unchanged_share"] < 1 and r["edit_norm"] > 0 for r in rows) and rows


def test_it_can_be_looked_at_and_taken_away(runs, tmp_path):
    assert "re-math" in harness("show", "smoke", "-o", runs).stdout
    probes = json.loads(harness("show", "smoke", "-o", runs, "--probe", "edit-sparsity", "--json").stdout)
    (table,) = probes["tables"]
    # A step that methods share stands there once.
    assert [row["of"]["label"] for row in table["means"]].count("math") == 1
    assert {"sequential", "rollback"} <= set(table["means"][0]["methods"])
    for form, mark in (("md", "| "), ("csv", "method"), ("latex", "tabular"), ("html", "<table"), ("json", "schema")):
        assert mark in harness("leaderboard", "export", next(runs.glob("smoke-*")), "-f", form).stdout
    model = tmp_path / "model"
    harness("export", next(runs.glob("smoke-*")), "mixed", model)
    assert load_file(model / "model.safetensors") and "model-index" in (model / "README.md").read_text()


def test_a_damaged_model_folder_is_refused_before_anything_starts(runs, tmp_path):
    model = tmp_path / "model"
    harness("export", next(runs.glob("smoke-*")), "mixed", model)
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    protocol = tmp_path / "p.yaml"
    protocol.write_text(
        f"schema: 1\nname: p\nmodel: {{pretrained: {model}}}\n"
        "domains: {math: {use: lab-math}}\nmethods: {m: [math]}\n"
    )
    told = harness("run", protocol, "-o", tmp_path / "runs", expect=2).stderr
    assert "model.safetensors" in told and "truncated" in told
