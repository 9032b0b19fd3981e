"""The scan of settings: it reads training prompts only, and what scores is not trained on."""

import importlib.util
import json
from argparse import Namespace
from pathlib import Path

import pytest

from harness import Registry
from harness.protocol import instance_of, load_protocol
from harness_smollm import FOLDER

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "smollm_scan.py"
GIVEN = {"learning_rate": 1e-4, "steps": 3, "prompts_per_step": None, "generations": None, "limit": 8, "seed": 5}


@pytest.fixture(scope="module")
def scan():
    spec = importlib.util.spec_from_file_location("smollm_scan", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def protocol(scan, tmp_path):
    arguments = Namespace(protocol="smollm", order="qa,math", **GIVEN)
    return scan.setting(arguments, tmp_path)


def lines(path):
    return Path(path).read_text().splitlines()


def test_every_training_row_is_trained_on_or_held_back_and_no_test_row_is_read(scan, protocol, tmp_path):
    for name, (file, column, held, key) in scan.FILES.items():
        domain = protocol["domains"][name]
        trained, held_back = lines(domain["data_files"]), lines(held(domain)[key])
        assert sorted(trained + held_back) == sorted(lines(FOLDER / "data" / file))
        assert not {json.loads(line)[column] for line in trained} & {json.loads(line)[column] for line in held_back}
        assert 100 <= len(held_back) <= 140
    assert "_test.jsonl" not in json.dumps(protocol)


def test_the_setting_is_a_valid_protocol_with_the_given_values(scan, protocol, tmp_path):
    path = tmp_path / "scan.yaml"
    path.write_text(json.dumps(protocol))
    registry = Registry.discover(only=["mdrl-harness"])
    read = load_protocol(path, registry)
    assert (read.seeds, protocol["methods"]) == ((5,), {"sequential": ["qa", "math"]})
    assert protocol["train"] | {"learning_rate": 1e-4, "steps": 3} == protocol["train"]
    assert protocol["train"]["generations"] == 4
    assert len(instance_of(read.domains["code"].plugin, registry).training_data(0)) > 300


def test_the_table_has_the_scores_before_and_after_each_stage(scan):
    found = [
        {"after": "base", "scores": {"math": 10.0, "qa": 30.0}, "reward": {}},
        {"after": "math", "scores": {"math": 50.0, "qa": 20.0}, "reward": {"first": 0.1, "last": 0.625}},
    ]
    assert scan.table(found)[2:] == [
        "| base | 10.0 | 30.0 | 20.0 |  |",
        "| math | 50.0 | 20.0 | 35.0 | 0.10 → 0.62 |",
    ]
