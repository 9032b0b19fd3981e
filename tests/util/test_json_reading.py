"""Untrusted JSON that is nested too deeply gives a clear error wherever it is read."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from harness import CheckpointError, UsageError
from harness._util.json_reading import parse_json
from harness.cli import app
from harness.errors import ProtocolError
from harness.planning.disk_need import size_of
from harness.planning.serialization import read_plan
from harness.plugin.registry import Registry
from harness.prediction.observed import observed_pairs
from harness.protocol import resolve_plugin
from harness.results.published import read_published
from harness.weights import WeightFolder, check_same_tokenizer
from harness.weights.delta import DELTA
from harness.weights.delta import check as check_delta
from harness.weights.loading import check_loads
from harness.weights.model_folder import check_checkpoint, weight_files
from harness.weights.tied import tied_weights
from harness_domains.code.problem import Problem
from harness_domains.code.problems import klear

DEEP = "[" * 200_000


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    save_file({"a.weight": torch.ones(4)}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    return folder


def test_deep_nesting_and_long_numbers_are_value_errors():
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(DEEP)
    with pytest.raises(ValueError, match="digits"):
        parse_json("9" * 10_000)
    assert parse_json(b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("model.safetensors.index.json", weight_files),
        ("model.safetensors.index.json", WeightFolder),
        ("adapter_config.json", check_checkpoint),
        ("config.json", check_loads),
        ("tokenizer.json", lambda folder: check_same_tokenizer(WeightFolder(folder), WeightFolder(folder))),
        (DELTA, check_delta),
    ],
)
def test_a_deep_file_in_a_model_folder_is_a_checkpoint_error(model, name, read):
    (model / name).write_text(DEEP)
    if name == "adapter_config.json":
        (model / "model.safetensors").unlink()
        (model / "config.json").unlink()
    with pytest.raises(CheckpointError):
        read(model)


def test_a_deep_safetensors_header_is_a_checkpoint_error(model):
    (model / "model.safetensors").write_bytes(len(DEEP).to_bytes(8, "little") + DEEP.encode())
    with pytest.raises(CheckpointError, match="header"):
        check_checkpoint(model)
    with pytest.raises(CheckpointError, match="header"):
        WeightFolder(model, model=False)


def test_a_deep_config_says_nothing_of_the_model(model):
    (model / "config.json").write_text(DEEP)
    assert tied_weights(model) == {}
    assert size_of(model)[1] == "float32"


@pytest.mark.parametrize("read", [read_plan, lambda path: observed_pairs(path.parent), read_published])
def test_a_deep_record_of_a_run_is_a_usage_error(tmp_path, read):
    path = tmp_path / "plan.json"
    path.write_text(DEEP)
    with pytest.raises(UsageError):
        read(path)


def test_deep_values_on_the_command_line_are_told():
    told = CliRunner().invoke(app, ["plugins", "check", "contains", "--config", DEEP]).exception
    assert isinstance(told, UsageError)
    with pytest.raises(ProtocolError, match="not a regular expression"):
        resolve_plugin(Registry.discover(), "reward", "regex", settings=[f"pattern={DEEP}"])


def test_deep_tests_of_a_problem_are_a_value_error():
    with pytest.raises(ValueError, match="nested too deeply"):
        Problem.from_json(DEEP)
    with pytest.raises(ValueError, match="nested too deeply"):
        klear({"prompt": "p", "reward_model": {"ground_truth": DEEP}})
