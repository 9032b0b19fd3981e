"""`evaluate.every` with real trainings: the models within them are scored, and nothing else changes."""

import json

import polars as pl
import pytest
from command import harness
from document_snippets import ROOT, snippets
from stored_bytes import digests

from harness import load_run

PROTOCOL = """\
schema: 1
name: within
model: {use: lab-tiny}
domains: {math: {use: lab-math}, code: {use: lab-code}}
train: {steps: 3, prompts_per_step: 4, generations: 4, learning_rate: 1.0e-3, save_every: 1}
evaluate: {limit: 8, every: 1}
methods: {m: [math, {train: code, lora: {rank: 4}}, {recover: math, with: refresh, steps: 2}]}
"""


def run_in(folder, text, jobs):
    (folder / "p.yaml").write_text(text)
    done = harness("run", folder / "p.yaml", "-o", folder / "runs", "--jobs", jobs, "--json")
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("within")
    run_in(folder, PROTOCOL, 2)
    return folder


def test_a_run_that_gets_it_later_has_the_same_bytes(folder, tmp_path):
    plain = run_in(tmp_path, PROTOCOL.replace(", every: 1", ""), 1)
    whole, without = digests(folder / "runs"), digests(tmp_path / "runs")
    assert whole.items() > without.items()
    later = run_in(tmp_path, PROTOCOL, 1)
    assert later["done_before"] == plain["nodes"] and not later["failures"]
    assert digests(tmp_path / "runs") == whole


def test_the_curves_end_with_the_scores_of_the_steps(folder):
    [place] = folder.glob("runs/within-*")
    run = load_run(place)
    curve = run.score_curves.filter(pl.col("primary"), domain="math")
    steps = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]
    assert curve.select("step", "optimizer_step").rows() == [(0, 0), *steps]
    assert curve["total_steps"].to_list() == list(range(9))
    assert run.score_curves.filter(last=True).select(run.scores.columns).equals(run.scores)
    shown = harness("show", place, "--curves").stdout
    assert "m: recover math (refresh)" in shown
    assert json.loads(harness("show", place, "--curves", "--json").stdout)["columns"] == ["math", "code"]


def test_a_kept_record_is_verified(folder, tmp_path):
    [place] = folder.glob("runs/within-*")
    harness("leaderboard", "add", place, "-d", tmp_path / "kept")
    harness("leaderboard", "verify", tmp_path / "kept")


def test_the_shown_python_runs(folder, monkeypatch, capsys):
    [block] = [one for one in snippets(ROOT / "docs" / "how-to" / "curves.md") if one.language == "python"]
    monkeypatch.setenv("HARNESS_RUNS", str(folder / "runs"))
    exec(compile(block.text.replace('"lab"', '"within"'), "shown", "exec"), {})
    assert "total_steps" in capsys.readouterr().out
