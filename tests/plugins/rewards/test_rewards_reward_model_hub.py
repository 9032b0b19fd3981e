"""A reward model on the Hub: downloaded once, then used offline."""

import json
import os
import subprocess
import sys

import pytest
import torch
from hub_server import hub_server
from reward_model_world import reward, save, scores
from safetensors.torch import load_file

SCRIPT = """
import json, sys
from harness import RewardBatch
from harness_rewards.reward_model import RewardModel, RewardModelConfig
model = RewardModel(RewardModelConfig(model="org/judge", device="cpu"))
if sys.argv[1] == "fetch":
    print(json.dumps(model.fetch()))
else:
    [result] = model.score(RewardBatch(prompts=["p"], completions=["c"], rows=[{}]))
    print(json.dumps(result.value))
"""


def process(home, endpoint, what, **variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HARNESS_"))}
    own = {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "NO_PROXY": "127.0.0.1"} | variables
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, what], env=kept | own, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_what_was_fetched_scores_without_the_hub(tmp_path, weights):
    folder = tmp_path / "model"
    local = save(folder)
    [here] = scores(reward(local), ["p"], ["c"])
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    if weights not in files:
        torch.save(load_file(folder / "model.safetensors"), tmp_path / weights)
        files = {name: content for name, content in files.items() if not name.endswith(".safetensors")}
        files[weights] = (tmp_path / weights).read_bytes()
    with hub_server() as hub:
        hub.push("models/org/judge", files | {"notes.h5": b"not needed"})
        process(tmp_path / "home", hub.endpoint, "fetch")
        assert any(weights in request for request in hub.requests)
        assert not any("notes.h5" in request for request in hub.requests)
        hub.requests.clear()
        assert process(tmp_path / "home", hub.endpoint, "score", HF_HUB_OFFLINE="1") == pytest.approx(here.value)
        assert hub.requests == []
