"""The packaged protocols of papers: read and planned offline, and consistent with the papers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import harness_papers

PAPERS = Path(harness_papers.__file__).parent


def harness(*arguments):
    environment = os.environ | {"HARNESS_OFFLINE": "1"}
    command = [sys.executable, "-m", "harness", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def test_the_perturbation_protocol_passes_validate_and_plan_offline(tmp_path):
    assert harness("validate", "code-math-qa-cw", "--json")["ok"]
    planned = harness("plan", "code-math-qa-cw", "-o", str(tmp_path), "--json")
    nodes = {node["label"] for node in planned["nodes"] if node["kind"] in ("train", "recover")}
    assert {"code", "math", "qa", "cw", "recover math (refresh)", "recover math (rollback)"} <= nodes
    assert not planned["estimate"]["total"]["not_counted"]


@pytest.mark.parametrize("name", ["math-chat-if", "math-chat-if-llama"])
def test_the_surgery_protocols_pass_validate_and_plan_offline(name, tmp_path):
    assert harness("validate", name, "--json")["ok"]
    planned = harness("plan", name, "-o", str(tmp_path), "--json")
    labels = {node["label"] for node in planned["nodes"] if node["kind"] == "train"}
    assert {"math", "chat", "math+chat", "math+chat (pcgrad)", "math+chat (mgs)", "math+chat+if (mgs)"} <= labels


def test_both_backbones_are_compared_in_the_same_way():
    def differing(name):
        data = YAML(typ="safe").load(PAPERS / f"{name}.yaml")
        for section, keys in (("math", ("format", "template", "stop")), ("chat", ("format",)), ("if", ("format",))):
            for key in keys:
                data["domains"][section].pop(key, None)
        data["train"].pop("stop", None)
        return {key: value for key, value in data.items() if key not in ("name", "summary", "model", "evaluate")}

    assert differing("math-chat-if") == differing("math-chat-if-llama")
