"""The GPU path rehearsed on the CPU: a paper's protocol on SmolLM2's architecture, judged by `transformers serve`.

Every stage trains two steps on small files in its data set's own columns. The model is small and has random weights; it
is its own judge, served like a judge on another machine.
"""

import json
from pathlib import Path

import pytest
import yaml
from paper_world import DOMAINS, PACKAGED, changes, harness_json, put, skip_without_sandbox
from polars import read_parquet
from small_smollm import small_smollm

from harness.evaluation.server import OwnServer
from harness.protocol.backends import DEFAULT_SERVE

for package in ("fastapi", "openai", "uvicorn"):
    pytest.importorskip(package)
LENGTH = 3
"""The longest completion: an answer, and the end."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run of `sequential` and `re-math`."""
    skip_without_sandbox()
    folder = tmp_path_factory.mktemp("rehearsal")
    model = small_smollm(folder / "model")
    protocol = yaml.safe_load(PACKAGED.read_text())
    server = OwnServer(DEFAULT_SERVE, model)
    try:
        lengths = {f"domains.{name}.completion_tokens": LENGTH for name in DOMAINS}
        judge = {
            f"domains.cw.{use}.{key}": value for use in ("judge", "reward") for key, value in _judge(model).items()
        }
        for path, value in (changes(folder, server.root) | lengths | judge).items():
            put(protocol, path, value)
        protocol["domains"]["math"]["thinks"] = False  # SmolLM2 does not
        protocol["domains"]["qa"]["mmlu_pro"]["completion_tokens"] = LENGTH
        del protocol["evaluate"]["think_end"]
        (folder / "paper.yaml").write_text(yaml.safe_dump(protocol, sort_keys=False))
        arguments = ("-o", folder / "runs", "--methods", "sequential,re-math", "--jobs", "1")
        told = harness_json("run", folder / "paper.yaml", *arguments)
    finally:
        server.stop()
    return folder / told["run"]


def _judge(model: Path) -> dict[str, object]:
    return {"model": str(model), "max_tokens": 4, "concurrency": 1}


def test_each_stage_and_the_refresh_are_scored_on_all_domains(run):
    rows = json.loads((run / "leaderboard.json").read_text())["rows"]
    trajectories = {row["method"]: row["trajectory"] for row in rows if not row["reference"]}
    assert [step["label"] for step in trajectories["re-math"]] == [
        "base",
        *(f"train {name}" for name in DOMAINS),
        "recover math (refresh)",
    ]
    for step in (step for trajectory in trajectories.values() for step in trajectory):
        assert sorted(step["scores"]) == sorted(DOMAINS)
        assert all(0 <= cell["mean"] <= 100 for cell in step["scores"].values())


def test_every_reward_can_read_what_the_model_writes(run):
    reports = [json.loads(path.read_text())["report"] for path in run.parent.glob("store/*/result.json")]
    outcomes = [counts for report in reports for counts in report["reward_outcomes"].values()]
    assert len(outcomes) == len(DOMAINS) + 1
    assert all(counts.keys() == {"ok"} for counts in outcomes), outcomes
    assert all(report["peak_memory_bytes"] > 0 and report["tokens_per_second"] > 0 for report in reports)


def test_the_served_model_judges_the_stories(run):
    scores = read_parquet(run / "scores.parquet").filter(domain="cw", metric="judge_score")
    assert set(scores["step"]) == set(range(6))
    assert scores["value"].is_between(0, 1).all()
