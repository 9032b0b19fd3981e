"""A protocol is run, loaded, read and plotted from Python."""

from __future__ import annotations

import os
import subprocess
import sys

import polars as pl
import pytest
from document_snippets import ROOT, snippets

import harness

CELLS = [one.text for one in snippets(ROOT / "docs" / "tutorial" / "python.md") if one.language == "python"]


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """Returns the folder in which the blocks of the tutorial ran, one after another, and what they printed."""
    folder = tmp_path_factory.mktemp("example")
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", "\n".join(CELLS)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture(scope="module")
def run(example):
    return harness.load_run("smoke", output=example[0] / "runs")


def test_the_tutorial_is_short_prints_tables_and_plots(example):
    folder, done = example
    assert len(CELLS[0].splitlines()) <= 15
    assert "sequential" in done.stdout and "completion_before" in done.stdout
    assert done.stderr.startswith("run: runs/smoke-")
    assert (folder / "scores.svg").read_text().startswith("<svg")


def test_the_frames_agree_with_the_record(run):
    board = run.leaderboard
    assert board["method"].to_list() == [row.method for row in run.record.rows]
    row = run.record.row("sequential")
    [shown] = board.filter(pl.col("method") == "sequential").to_dicts()
    assert shown["average"] == row.average.mean
    assert shown["score_math"] == row.scores["math"].mean


def test_samples_have_the_mean_that_the_scores_have(run):
    samples = run.samples("sequential", step=2, domain="math")
    [value] = run.scores.filter(
        (pl.col("method") == "sequential") & (pl.col("step") == 2) & (pl.col("domain") == "math") & pl.col("primary")
    )["value"]
    assert samples["score"].mean() == pytest.approx(value)
    assert samples["prompt"].str.len_chars().min() > 0
    assert set(run.samples("sequential")["domain"]) == set(run.plan.domains)
    assert run.samples("sequential", step=0).height > 0  # the base model


def test_metrics_have_a_row_per_optimizer_step(run):
    assert run.metrics("sequential", step=1)["step"].to_list() == [1, 2]
    with pytest.raises(harness.UsageError, match="step 0 is the base model"):
        run.metrics("sequential", step=0)


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_every_checkpoint_is_a_whole_model(run, step):
    from transformers import AutoModelForCausalLM

    folder = run.checkpoint("rollback", step=step)
    assert AutoModelForCausalLM.from_pretrained(folder).num_parameters() > 0
    assert run.checkpoint("rollback", step=step) == folder
    assert not list((run.folder).glob("**/*.tmp-*"))


def test_a_base_model_that_has_changed_is_refused(run, monkeypatch):
    monkeypatch.setattr("harness_lab.model.LabModel.fingerprint", lambda self: "another")
    with pytest.raises(harness.UsageError, match="base model of this checkpoint has changed since the run"):
        run.checkpoint("sequential", step=0)
    assert run.checkpoint("sequential", step=1).is_dir()  # depends on no other folder


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: run.checkpoint("nobody"), "there is no method 'nobody' in this run"),
        (lambda run: run.checkpoint("sequential", seed=7), "has no seed 7"),
        (lambda run: run.samples("sequential", step=9), "has no step 9"),
        (lambda run: run.samples("sequential", domain="chess"), "there is no domain 'chess'"),
        (lambda run: harness.load_run("nowhere", output=run.folder.parent), "there is no run 'nowhere'"),
    ],
)
def test_what_a_run_does_not_have_is_named(run, call, message):
    with pytest.raises(harness.UsageError, match=message):
        call(run)


def test_a_plan_tells_what_is_stored_and_the_same_run_computes_nothing(run, example):
    planned = harness.plan("smoke", seeds=[0], output=example[0] / "runs")
    assert planned.folder == run.folder
    assert planned.nodes["done"].all()
    again = harness.run("smoke", seeds=[0], output=example[0] / "runs", progress=False)
    assert again.outcome.executed == 0
    assert harness.plan("smoke", seeds=[5], output=example[0] / "runs").cost().trainings > 0


def test_validate_returns_the_problems(tmp_path):
    assert harness.validate("smoke") == []
    path = tmp_path / "wrong.yaml"
    path.write_text("schema: 1\nname: wrong\nmodel: {use: lab-tinny}\n")
    [problem] = [one for one in harness.validate(path) if one.key.startswith("model")]
    assert problem.line == 3 and "lab-tinny" in problem.message


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: harness.run("nowhere"), "no file and no packaged protocol is called nowhere"),
        (lambda: harness.run("smoke", deltas="sometimes"), "'sometimes' is not a way to store models"),
        (lambda: harness.run("smoke", engine="steam"), "no engine is called 'steam'"),
        (lambda: harness.plan("smoke", seeds=["a"]), "'a' is not a seed"),
        (lambda: harness.plan("smoke", methods="sequential"), "methods is the text 'sequential'"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_written(call, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(harness.HarnessError, match=message):
        call()
    assert not list(tmp_path.iterdir())
