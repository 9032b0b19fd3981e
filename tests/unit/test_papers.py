"""The packaged protocols of papers: read and planned offline, and true to what the papers state."""

import json
import os
import subprocess
import sys


def harness(*arguments):
    environment = os.environ | {"HARNESS_OFFLINE": "1"}
    command = [sys.executable, "-m", "harness", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def test_the_perturbation_protocol_passes_validate_and_plan_offline(tmp_path):
    assert harness("validate", "code-math-qa-cw", "--json")["ok"]
    planned = harness("plan", "code-math-qa-cw", "-o", str(tmp_path), "--json")
    nodes = {node["label"] for node in planned["nodes"] if node["kind"] in ("train", "recover")}
    assert {"code", "math", "qa", "cw", "recover math (refresh)", "recover math (rollback)"} <= nodes
