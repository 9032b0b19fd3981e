"""Relative paths in a protocol are relative to its folder; keys do not depend on the location."""

import json
import os
import shutil
import sys
from pathlib import Path
from subprocess import run

import pytest

from harness.errors import ProtocolError
from harness.planning.planner import make_plan
from harness.planning.serialization import plan_from_json, plan_to_json
from harness.plugin.registry import Registry
from harness.protocol import instance_of, load_protocol
from harness.testing.tiny_world import tiny_checkpoint

REGISTRY = Registry.discover()
PROTOCOL = """\
schema: 1
name: p
model: {pretrained: models/base}
domains:
  j: {use: jsonl, data_files: [data/train.jsonl], test_files: data/test.jsonl}
  c:
    use: chat
    data_files: data/train.jsonl
    judge: {model: m, cache: judge.sqlite}
    reward: {use: composite, parts: {rm: {reward: {use: reward-model, model: models/reward}, weight: 1.0}}}
train: {with: grpo, steps: 1, trl: {deepspeed: zero.json}}
methods:
  a: [j]
"""


def write(folder, changed=()):
    folder.mkdir(parents=True)
    (folder / "data").mkdir()
    for name in ("train", "test"):
        rows = [{"prompt": f"{name} {index}", "answer": str(index)} for index in range(60)]
        (folder / "data" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tiny_checkpoint(folder / "models" / "base")
    shutil.copytree(folder / "models" / "base", folder / "models" / "reward")
    text = PROTOCOL
    for old, new in changed:
        text = text.replace(old, new)
    (folder / "p.yaml").write_text(text)
    return folder / "p.yaml"


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return write(tmp_path_factory.mktemp("first") / "here")


def planned(path):
    protocol = load_protocol(path, REGISTRY)
    return protocol, make_plan(protocol, REGISTRY)


def test_every_path_is_absolute_in_the_config(first, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    protocol, plan = planned(first)
    folder = str(first.parent)
    assert protocol.model.config["pretrained"] == f"{folder}/models/base"
    assert protocol.domains["j"].plugin.config["data_files"] == [f"{folder}/data/train.jsonl"]
    assert protocol.domains["j"].plugin.config["test_files"] == f"{folder}/data/test.jsonl"
    assert protocol.domains["c"].plugin.config["judge"]["cache"] == f"{folder}/judge.sqlite"
    assert f"{folder}/models/reward" in json.dumps(protocol.domains["c"].reward.config)
    assert protocol.methods["a"][0].algorithm.config["trl"]["deepspeed"] == f"{folder}/zero.json"
    assert instance_of(protocol.model, REGISTRY).folder() == Path(f"{folder}/models/base")
    assert all("data" not in problem.key for problem in protocol.unmet)
    read_back = plan_from_json(json.loads(json.dumps(plan_to_json(plan))))
    assert read_back.domains["j"].plugin.config == plan.domains["j"].plugin.config


def test_a_relative_path_of_the_protocol_itself_serves_too(first, monkeypatch):
    monkeypatch.chdir(first.parent.parent)
    protocol = load_protocol(Path("here/p.yaml"), REGISTRY)
    monkeypatch.chdir("/")
    assert Path(protocol.domains["j"].plugin.config["test_files"]).is_file()


def test_the_same_folder_elsewhere_has_the_same_keys(first, tmp_path):
    moved = shutil.copytree(first.parent, tmp_path / "moved")
    assert planned(first)[1].key == planned(moved / "p.yaml")[1].key


def test_other_names_of_the_same_content_have_the_same_keys(first, tmp_path):
    changed = (("data/train", f"{first.parent}/data/train"), ("models/base", f"{first.parent}/models/base"))
    assert planned(first)[1].key == planned(write(tmp_path / "there", changed))[1].key


def test_other_content_under_the_same_name_has_other_keys(first, tmp_path):
    other = write(tmp_path / "there")
    with (other.parent / "data" / "train.jsonl").open("a") as file:
        file.write('{"prompt": "one more", "answer": "1"}\n')
    assert planned(first)[1].key != planned(other)[1].key


def test_a_missing_file_is_named_with_its_whole_path(tmp_path):
    path = write(tmp_path / "p", (("data/test.jsonl", "data/tset.jsonl"),))
    with pytest.raises(ProtocolError, match=str(tmp_path / "p" / "data" / "tset.jsonl")):
        load_protocol(path, REGISTRY).check_here()


def test_a_name_on_the_hub_stays_one(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(PROTOCOL.replace("models/base", "Qwen/Qwen3-0.6B"))
    assert load_protocol(path, REGISTRY).model.config["pretrained"] == "Qwen/Qwen3-0.6B"


def test_the_command_is_the_same_from_any_folder(first, tmp_path):
    environment = os.environ | {"HARNESS_RUNS": str(tmp_path / "runs")}
    command = [sys.executable, "-m", "harness", "plan", "--json"]
    text = first.read_text().replace(", trl: {deepspeed: zero.json}", "")
    protocol = first.with_name("q.yaml")
    protocol.write_text(text)
    outputs = [
        run([*command, given], cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout
        for given, folder in ((protocol, tmp_path), ("q.yaml", first.parent))
    ]
    keys = [sorted(node["key"] for node in json.loads(output)["nodes"]) for output in outputs]
    assert keys[0] == keys[1]
