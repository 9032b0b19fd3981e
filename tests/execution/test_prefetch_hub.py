"""`harness prefetch` from a hub, then `harness run` without it: no requests, and clear errors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import hub_server

from harness.testing import tiny_checkpoint

SUMS = (Path(__file__).parents[1] / "fixtures" / "jsonl" / "sums.jsonl").read_bytes()
CARD = {"README.md": b"---\nlicense: mit\n---\n"}


@pytest.fixture
def hub(tmp_path):
    with hub_server() as hub:
        hub.push("datasets/org/sums", CARD | {"train.jsonl": SUMS})
        hub.push(
            "models/org/tiny", {path.name: path.read_bytes() for path in tiny_checkpoint(tmp_path / "t").iterdir()}
        )
        yield hub


@pytest.fixture
def harness(tmp_path, hub):
    """Returns a function that runs the command line on a protocol of the hub's model and data."""

    def call(command, *arguments, model=None, data=None, **variables):
        protocol = {
            "schema": 1,
            "name": "fetched",
            "model": {"pretrained": "org/tiny"} | (model or {}),
            "seeds": [0],
            "domains": {
                "sums": {"use": "jsonl", "dataset": "org/sums", "template": "Q: {prompt}? A:", "completion_tokens": 4}
                | (data or {})
            },
            "train": {"with": "grpo", "steps": 1, "prompts_per_step": 2, "generations": 2},
            "evaluate": {"limit": 4, "batch_size": 4},
            "methods": {"short": ["sums", {"recover": "sums", "with": "refresh", "steps": 1}]},
        }
        (tmp_path / "fetched.yaml").write_text(json.dumps(protocol))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HARNESS_"))}
        own = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.endpoint, "NO_PROXY": "127.0.0.1"}
        return subprocess.run(
            [sys.executable, "-m", "harness", command, "fetched.yaml", *arguments],
            cwd=tmp_path,
            env=kept | own | {"OMP_NUM_THREADS": "1"} | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def commits(hub):
    return {
        name.partition("/")[2]: next(iter(repository.branches.values()))
        for name, repository in hub.repositories.items()
    }


def test_after_prefetch_a_run_asks_nothing_of_the_hub(hub, harness):
    fetched = harness("prefetch", "--json")
    assert fetched.returncode == 0, fetched.stderr
    found = {part["part"]: part["commits"] for part in json.loads(fetched.stdout)}
    expected = commits(hub)
    assert found == {
        "base model": [{"kind": "model", "name": "org/tiny", "revision": None, "commit": expected["org/tiny"]}],
        "domain sums": [{"kind": "dataset", "name": "org/sums", "revision": None, "commit": expected["org/sums"]}],
        "reward of sums": [],
    }
    hub.requests.clear()
    done = harness("run", "-o", "offline", "--json", HARNESS_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["failures"] == []
    pins = {"model": {"revision": expected["org/tiny"]}, "data": {"revision": expected["org/sums"]}}
    done = harness("run", "-o", "pinned", "--json", **pins)
    assert done.returncode == 0, done.stderr
    assert hub.requests == [], "neither offline nor, with commits pinned, online"


def test_what_is_not_pinned_is_told_and_prefetch_gives_the_lines_that_pin_it(hub, harness):
    expected = commits(hub)
    for command in ("validate", "plan"):
        told = harness(command)
        assert told.returncode == 0, told.stderr
        for line in (
            "not pinned to a commit: model org/tiny at main",
            "not pinned to a commit: data set org/sums at main",
        ):
            assert line in told.stdout + told.stderr
        sources = json.loads(harness(command, "--json").stdout)["unpinned"]
        assert [source["name"] for source in sources] == ["org/tiny", "org/sums"]
    assert hub.requests == [], "neither asks the hub"
    fetched = harness("prefetch")
    for commit in expected.values():
        assert f"    revision: {commit}\n" in fetched.stdout
    pins = {"model": {"revision": expected["org/tiny"]}, "data": {"revision": expected["org/sums"]}}
    assert "pinned" not in harness("validate", **pins).stderr
    assert json.loads(harness("plan", "--json", **pins).stdout)["unpinned"] == []
    assert "revision:" not in harness("prefetch", **pins).stdout


@pytest.mark.parametrize("command", ["prefetch", "run"])
@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        ({"model": {"pretrained": "org/nothing"}}, ["model org/nothing at main", "no such model"]),
        ({"model": {"revision": "v9"}}, ["model org/tiny at v9", "no revision 'v9'"]),
    ],
    ids=["no such model", "no such revision"],
)
def test_a_model_that_cannot_be_had_ends_the_command(harness, command, keys, parts):
    told = harness(command, **keys)
    assert told.returncode == 2, told.stderr
    for part in parts:
        assert part in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("fault", "keys", "parts"),
    [
        ("gated", {}, ["data set org/sums at main", "is gated", "hf auth login"]),
        (None, {"data": {"revision": "v9"}}, ["org/sums at v9", "no revision 'v9'"]),
        (
            None,
            {"data": {"prompt": "question"}},
            ["org/sums at main", "no column question", "they have prompt, answer"],
        ),
        ("torn", {}, ["org/sums at main", "cannot be read as a table", "delete"]),
    ],
    ids=["gated", "revision", "column", "damaged"],
)
def test_data_that_cannot_be_had_end_the_command_with_what_to_do(hub, harness, fault, keys, parts):
    if fault == "gated":
        hub.repositories["datasets/org/sums"].gated = 403
    if fault == "torn":
        hub.push("datasets/org/sums", CARD | {"train.jsonl": SUMS[:-20]})
    told = harness("prefetch", **keys)
    assert told.returncode == 2, told.stderr
    for part in parts:
        assert part in told.stderr
    assert "  → " in told.stderr
    assert "Traceback" not in told.stderr
