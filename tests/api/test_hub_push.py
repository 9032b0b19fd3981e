"""Pushing checkpoints and records to a hub: one complete revision, however often, and no token anywhere."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fake_run import fill, make_plan
from huggingface_hub import DatasetCard, ModelCard
from writable_hub import writable_hub

from harness.execution.leaderboard import build_leaderboard
from harness.execution.score_table import collect_scores
from harness.execution.store import Store
from harness.planning.serialization import plan_to_json

TOKEN = "hf_verysecretandlongtoken0123456789"
ROOT = Path(__file__).parents[2]
CLIENT = """
import contextlib, io, json, os, sys
from harness.cli import app
from harness.cli.session import Session
from harness.plugin.registry import Registry
from typer.testing import CliRunner

Session.registry = property(lambda self: Registry.of([]))
told = []
for words, variables in json.loads(sys.argv[1]):
    os.environ.update({name: value for name, value in variables.items() if value is not None})
    for name in [name for name, value in variables.items() if value is None]:
        os.environ.pop(name, None)
    result = CliRunner().invoke(app, words)
    told.append({"code": result.exit_code, "out": result.output, "error": str(result.exception or "")})
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Returns the folder of a run with a plan, of which one domain was scored on a data set of the hub."""
    root = tmp_path_factory.mktemp("runs")
    plan, store = make_plan(seeds=(0, 1)), Store(root / "store")
    fill(store, plan)
    results = {"configs": {"fake_math": {"dataset_path": "org/sums", "dataset_name": "hard"}}}
    for scorings in plan.evaluations.values():
        key = scorings["math"]
        rows = json.loads(store.read(key, "rows.json"))
        store.remove(key)
        with store.writing(key) as folder:
            (folder / "rows.json").write_text(json.dumps(rows))
            (folder / "lm_eval.json").write_text(json.dumps(results))
    for step in plan.steps:
        store.remove(step.key)
        with store.writing(step.key) as folder:
            (folder / "result.json").write_text(json.dumps({"cost": COST}))
            (folder / "model").mkdir()
            (folder / "model" / "config.json").write_text("{}")
            (folder / "model" / "model.safetensors").write_bytes(f"weights of {step.key}".encode() * 20)
    provenance = {
        "packages": {"mdrl-harness": "0.1.0"},
        "invocations": [{"command": ["harness", "run", "fake", "--seeds", "0,1"]}],
    }
    leaderboard = build_leaderboard(collect_scores(plan, store), plan, store, provenance)
    folder = root / plan.run_name
    folder.mkdir()
    (folder / "leaderboard.json").write_text(leaderboard.to_json())
    (folder / "plan.json").write_text(json.dumps(plan_to_json(plan)))
    return folder


COST = {"optimizer_steps": 1, "completions": 1, "generated_tokens": 1, "train_seconds": 1}


@pytest.fixture
def hub():
    with writable_hub() as hub:
        hub.tokens[TOKEN] = {"org"}
        yield hub


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def environment(hub, home):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HARNESS_"))}
    return kept | {
        "HF_HOME": str(home),
        "HF_ENDPOINT": hub.endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": TOKEN,
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }


def client(hub, home, *steps):
    """Returns what each command printed. steps: words, or words and variables of the environment."""
    named = [step if isinstance(step, tuple) else (step, {}) for step in steps]
    asked = [([str(word) for word in words], variables) for words, variables in named]
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, json.dumps(asked)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(hub, home),
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    return json.loads(done.stdout)


def assert_no_secret(hub, *folders):
    for folder in folders:
        for path in folder.rglob("*"):
            assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    assert not any(TOKEN.encode() in body for body in hub.bodies)
    for repository in hub.repositories.values():
        for state in repository.states.values():
            assert not any(TOKEN.encode() in content for content in state.values())


def test_a_checkpoint_is_pushed_as_one_commit_with_its_card_and_results(run, hub, home, tmp_path):
    words = ["export", run, "re-math", "--seed", "1", "--push", "org/model"]
    (told,) = client(hub, home, words)
    assert told["code"] == 0, told
    assert told["out"] == f"{hub.endpoint}/org/model/commit/{hub.repositories['models/org/model'].branches['main']}\n"
    assert hub.commits == [("models/org/model", "fake: re-math, seed 1, step 4")]
    files = hub.files("models/org/model")
    assert set(files) == {".gitattributes", "README.md", "config.json", "model.safetensors", ".eval_results/math.yaml"}
    assert files["model.safetensors"].startswith(b"weights of ")
    (result,) = yaml.safe_load(files[".eval_results/math.yaml"])
    assert result["dataset"] == {"id": "org/sums", "task_id": "hard"}
    assert result["value"] == 93.0 and "lm-eval fake_math, acc,none; 512 items, in percent" in result["notes"]
    card = ModelCard(files["README.md"].decode())
    assert {one.dataset_name: one.metric_value for one in card.data.eval_results} == {
        "code": 72.0,
        "math": 93.0,
        "qa": 48.0,
    }
    assert "harness run fake --seeds 0,1" in card.text
    assert_no_secret(hub, run.parent, home)


def test_interrupted_and_repeated_pushes_end_in_one_complete_revision(run, hub, home):
    words = ["export", run, "sequential", "--push", "org/model"]
    hub.breaks["/commit/"] = 1
    first, second, third = client(hub, home, words, words, words)
    assert first["code"] != 0
    assert "nothing was published, since a push is one commit: run the same command again" in first["error"]
    assert second["code"] == third["code"] == 0
    assert second["out"] == third["out"]
    assert len(hub.commits) == 1
    assert {"README.md", "config.json", "model.safetensors"} <= set(hub.files("models/org/model"))
    uploads = [line for line in hub.requests if line.startswith("PUT /objects/")]
    assert len(uploads) == len(set(uploads)), "what was uploaded is not uploaded again"
    assert_no_secret(hub, run.parent, home)


def test_a_push_whose_answer_is_lost_is_repeated_without_a_second_commit(run, hub, home):
    words = ["export", run, "sequential", "--push", "org/model"]
    hub.loses["/commit/"] = 1
    first, second = client(hub, home, words, words)
    assert first["code"] != 0 and second["code"] == 0
    assert len(hub.commits) == 1


def test_a_push_that_is_killed_publishes_nothing(run, hub, home):
    hub.silent = "/objects/"
    words = ["export", str(run), "sequential", "--push", "org/model"]
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, json.dumps([[words, {}]])],
        env=environment(hub, home),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert hub.asked_in_vain.wait(120)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert hub.commits == [] and set(hub.files("models/org/model")) == {".gitattributes"}
    hub.silent = None
    (told,) = client(hub, home, words)
    assert told["code"] == 0 and len(hub.commits) == 1
    assert "model.safetensors" in hub.files("models/org/model")


def test_another_checkpoint_replaces_the_files_of_the_first(run, hub, home, tmp_path):
    client(hub, home, ["export", run, "sequential", "--push", "org/model", "--private"])
    assert hub.private == {"models/org/model"}
    old = hub.files("models/org/model")
    hub.repositories["models/org/model"].push(old | {"model-00001.safetensors": b"old", "LICENSE": b"mine"})
    (told,) = client(hub, home, ["export", run, "re-math", tmp_path / "copy", "--push", "org/model"])
    assert told["code"] == 0 and told["out"].startswith(str(tmp_path / "copy"))
    files = hub.files("models/org/model")
    assert "model-00001.safetensors" not in files and files["LICENSE"] == b"mine"
    assert files["model.safetensors"] != old["model.safetensors"]
    assert (tmp_path / "copy" / "README.md").read_bytes() == files["README.md"]


def test_each_obstacle_has_its_message(run, hub, home):
    def push(name, **variables):
        return ["export", str(run), "sequential", "--push", name], variables

    told = client(
        hub,
        home,
        push("model"),
        push("a b/c"),
        push("org/name/more"),
        push("org/../name"),
        push("org/model", HF_TOKEN=None),
        push("org/model", HF_TOKEN="hf_wrong"),
        push("others/model", HF_TOKEN=TOKEN),
        push("org/model", HF_HUB_OFFLINE="1"),
        (["export", str(run), "sequential"], {"HF_HUB_OFFLINE": None}),
    )
    expected = [
        *["is not a repository of the hub"] * 4,
        "you are not logged in to the hub",
        "the hub does not accept your token",
        "your token may not write to the model others/model",
        "HF_HUB_OFFLINE forbids requests",
        "there is no place to export to",
    ]
    for one, message in zip(told, expected, strict=True):
        assert one["code"] != 0 and message in one["error"], one
        assert "  → " in one["error"] and TOKEN not in one["error"]
    assert hub.commits == []


def test_an_unreachable_hub_and_a_broken_one_have_their_messages(run, hub, home):
    words = ["export", str(run), "sequential", "--push", "org/model"]
    hub.status = 500
    hub.tokens[TOKEN] = {"org"}
    hub.breaks["/api/repos/create"] = 1
    (told,) = client(hub, home, words)
    assert "cannot be reached" in told["error"]


def test_records_are_pushed_as_a_data_set_with_a_card(hub, home, tmp_path):
    words = ["leaderboard", "push", "org/boards", ROOT / "leaderboards" / "lab" / "recoveries"]
    first, again, whole = client(hub, home, words, words, ["leaderboard", "push", "org/boards"])
    assert first["code"] == again["code"] == whole["code"] == 0, (first, again, whole)
    assert first["out"] == again["out"]
    assert first["out"].startswith(f"{hub.endpoint}/datasets/org/boards/commit/")
    assert [place for place, _ in hub.commits] == ["datasets/org/boards"] * 2
    files = hub.files("datasets/org/boards")
    source = ROOT / "leaderboards" / "lab" / "recoveries" / "leaderboard.json"
    assert files["recoveries/leaderboard.json"] == files["lab/recoveries/leaderboard.json"] == source.read_bytes()
    assert "lab/scores.parquet" in files and "lab/algorithms/scores.parquet" in files
    card = DatasetCard(files["README.md"].decode())
    assert {"config_name": "lab-recoveries", "data_files": "lab/recoveries/scores.parquet"} in card.data.configs
    assert "harness leaderboard verify records/lab" in card.text and "[recoveries](recoveries)" in card.text
    assert_no_secret(hub, home)


def test_a_record_with_a_fault_and_files_of_others_are_not_pushed(hub, home, tmp_path):
    shutil.copytree(ROOT / "leaderboards" / "lab" / "recoveries", tmp_path / "good")
    (tmp_path / "good" / ".env").write_text(f"HF_TOKEN={TOKEN}")
    (tmp_path / "good" / "notes.txt").write_text(f"{TOKEN}")
    shutil.copytree(tmp_path / "good", tmp_path / "bad")
    changed = json.loads((tmp_path / "bad" / "leaderboard.json").read_text())
    changed["rows"][0]["average"]["ci95"][1] += 1
    (tmp_path / "bad" / "leaderboard.json").write_text(json.dumps(changed))
    good, bad, none = client(
        hub,
        home,
        ["leaderboard", "push", "org/boards", tmp_path / "good"],
        ["leaderboard", "push", "org/boards", tmp_path / "bad"],
        ["leaderboard", "push", "org/boards", tmp_path / "none"],
    )
    assert good["code"] == 0
    assert {path for path in hub.files("datasets/org/boards") if "env" in path or "notes" in path} == set()
    assert "this record has faults" in bad["error"] and "average.ci95.1" in bad["error"]
    assert "not a folder" in none["error"]
    assert len(hub.commits) == 1
    assert_no_secret(hub, home)
