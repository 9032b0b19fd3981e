"""The packaged protocol `smoke` with TRL and lm-eval: run, repeated run, show, export, and bad input."""

import json
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
