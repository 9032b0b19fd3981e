"""`harness run` on creative writing and chat: rows of this repository, a judge on this machine, a tiny model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from judge_server import Say, Status, judge_server

import harness_lab
from harness.testing import tiny_checkpoint

OFFLINE = {"HARNESS_OFFLINE", "HF_HUB_OFFLINE"}
FIXTURES = Path(__file__).parents[2] / "fixtures"
REWARD_MODEL = Path(harness_lab.__file__).parent / "models" / "cw-reward"


@pytest.fixture
def run(tmp_path):
    """Returns a function that runs a protocol of both domains with the judge at an endpoint."""
    model = tiny_checkpoint(tmp_path / "tiny")

    def run_with(endpoint):
        judge = {"model": "judge", "endpoint": endpoint, "cache": str(tmp_path / "answers.sqlite"), "attempts": 1}
        small = {"test_items": 4, "format": "plain", "completion_tokens": 4, "judge": judge}
        protocol = {
            "schema": 1,
            "name": "written",
            "model": {"use": "pretrained", "pretrained": str(model)},
            "seeds": [0],
            "domains": {
                "CW": {
                    "use": "creative-writing",
                    "data_files": str(FIXTURES / "open_ended" / "creative_writing.jsonl"),
                    "reward": judge | {"use": "creative-writing-judge"},
                }
                | small,
                "Chat": {
                    "use": "chat",
                    "data_files": str(FIXTURES / "open_ended" / "wildchat_if.jsonl"),
                    "reward": {"use": "reward-model", "model": str(REWARD_MODEL), "device": "cpu"},
                }
                | small,
            },
            "train": {"with": "grpo", "steps": 1, "prompts_per_step": 2, "generations": 2},
            "methods": {"mixed": [{"train": ["CW", "Chat"]}]},
        }
        (tmp_path / "written.yaml").write_text(json.dumps(protocol))
        environment = {name: value for name, value in os.environ.items() if name not in OFFLINE}
        return subprocess.run(
            [sys.executable, "-m", "harness", "run", "written.yaml", "-o", "runs"],
            cwd=tmp_path,
            env=environment | {"NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run_with


def test_both_domains_go_through_training_and_scoring(run, tmp_path):
    with judge_server(lambda asked, tries: Say("Score: 0.5")) as server:
        done = run(server.endpoint)
        assert done.returncode == 0, done.stderr
        asked = [body["messages"][0]["content"] for body in server.bodies]
        questions = [question for question in asked if question != "Say yes."]  # before the start: does it answer?
    [path] = (tmp_path / "runs").glob("written-*/scores.parquet")
    from polars import read_parquet

    scores = read_parquet(path).filter(task="creative_writing")
    assert set(scores["value"]) == {0.5}
    assert {question.split(".")[0] for question in questions} == {
        "You are the fiction editor of a magazine",
        "Below are a request for a piece of creative writing, and a piece",
        "Below are what a person asked an assistant, and the assistant's reply",
    }


def test_a_judge_that_refuses_stops_the_run_before_it_starts(run):
    with judge_server(lambda asked, tries: Status(401)) as server:
        done = run(server.endpoint)
    assert done.returncode == 2
    assert "domains.CW.judge" in done.stderr
    assert "401" in done.stderr
    assert "is the judge's server up" in done.stderr
    assert "Traceback" not in done.stderr
