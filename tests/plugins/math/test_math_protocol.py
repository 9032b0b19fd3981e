"""A protocol with the math domain on local files: validated and planned without the network."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.errors import ProtocolError, UsageError
from harness.testing import tiny_checkpoint

FIXTURES = Path(__file__).parents[2] / "fixtures" / "math"
PROTOCOL = """
schema: 1
name: own-math
model: {{pretrained: {model}}}
domains:
  math:
    use: math
    source: gsm8k
    data_files: {files}/gsm8k_train.jsonl
    prompts: 3
    tasks: [math500, aime25]
    test_sets:
      math500: {{data_files: {files}/math500_test.jsonl}}
      aime25: {{data_files: {files}/aime25_test.jsonl}}
    repeats: {{aime25: 4}}
    reward: {{use: math-verify, timeout_seconds: 3}}
train: {{with: grpo, steps: 2}}
methods:
  sequential: [math]
"""


@pytest.fixture
def harness(monkeypatch, tmp_path):
    """Runs a command of the harness in a folder with `own.yaml`."""
    model = tiny_checkpoint(tmp_path / "model")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(PROTOCOL.format(model=model, files=FIXTURES))
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_it_is_valid_and_planned_offline(harness):
    assert harness("validate", "own.yaml").exit_code == 0
    planned = harness("plan", "own.yaml", "--json")
    assert planned.exit_code == 0, planned.output
    assert json.loads(planned.stdout)["cost"]["optimizer_steps"] == 2


def test_a_file_that_is_not_there_is_named(harness, tmp_path):
    text = (tmp_path / "own.yaml").read_text()
    (tmp_path / "own.yaml").write_text(text.replace("aime25_test.jsonl", "aime26_test.jsonl"))
    fault = harness("plan", "own.yaml").exception
    assert isinstance(fault, UsageError)
    assert fault.where.endswith("aime26_test.jsonl")


def test_a_key_that_means_nothing_is_a_fault_of_the_protocol(harness, tmp_path):
    text = (tmp_path / "own.yaml").read_text()
    (tmp_path / "own.yaml").write_text(text.replace("{aime25: 4}", "{aime26: 4}"))
    fault = harness("validate", "own.yaml").exception
    assert isinstance(fault, ProtocolError)
    assert "own.yaml:15: domains.math.repeats.aime26" in str(fault)
