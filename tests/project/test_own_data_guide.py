"""The data and the protocol of docs/how-to/own-data.md work as they stand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from document_snippets import snippets

from harness import RewardBatch
from harness.planning.planner import make_plan
from harness.plugin.registry import Registry
from harness.protocol import load_protocol
from harness.results.leaderboard import Leaderboard
from harness.testing.data_contracts import check_domain
from harness_domains.jsonl.config import JsonlConfig
from harness_domains.jsonl.rules import Contains
from harness_lab.tokenizer import build_tokenizer

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "own-data.md"
SHOWN = {snippet.title: snippet.text for snippet in snippets(PAGE)}


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine.jsonl", "with-sums.yaml"):
        (tmp_path / name).write_text(SHOWN[name])
    registry = Registry.discover(only=["mdrl-harness"])
    return make_plan(load_protocol(tmp_path / "with-sums.yaml", registry), registry)


def test_the_shown_rows_are_trained_on_held_out_and_rewarded(plan):
    registry = Registry.discover(only=["mdrl-harness"])
    use = plan.domains["sums"]
    domain = registry.find("domain", "jsonl").build(JsonlConfig(**dict(use.plugin.config)))
    check_domain(domain)
    rows = domain.training_data(0).to_list()
    assert 4 <= len(rows) < 12
    tokenizer = build_tokenizer()
    assert all(tokenizer.unk_token_id not in tokenizer(row["prompt"])["input_ids"] for row in rows)
    reward = registry.find("reward", "contains").build(Contains(**dict(use.reward.config)))
    said = [str(eval(row["prompt"].removeprefix("Q: ").removesuffix("? A:"))) for row in rows]
    results = reward.score(RewardBatch(prompts=[row["prompt"] for row in rows], completions=said, rows=rows))
    assert {result.value for result in results} == {1.0}


def test_the_shown_protocol_runs(plan, tmp_path):
    path = tmp_path / "with-sums.yaml"
    short = path.read_text().replace("steps: 30", "steps: 1, generations: 4").replace("limit: 128", "limit: 4")
    path.write_text(short)
    command = [sys.executable, "-m", "harness", "run", "with-sums.yaml"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (record,) = (tmp_path / "runs").glob("with-sums-*/leaderboard.json")
    assert set(Leaderboard.read(record).columns) >= {"code", "sums"}
