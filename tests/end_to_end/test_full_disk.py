"""A real disk that fills in the middle of a write: told as that, nothing half-written is left, and the same command
ends well once there is room."""

import hashlib
import json
import shutil

import pytest
from small_disk import SmallDisk
from warm_command import installed

from harness.execution.store import Store
from harness.testing.tiny_world import tiny_checkpoint

PROTOCOL = """\
schema: 1
name: full
summary: Every kind of write
model: {pretrained: BASE}
domains: {math: {use: lab-math, prompts: 16}, cw: {use: lab-cw, prompts: 16}}
train: {with: faulty}
evaluate: {limit: 1, batch_size: 8}
methods:
  rolled-back: [math, cw, {recover: math, with: rollback, score: magnitude}]
  expert: [cw]
  merged: [{merge: [rolled-back, expert], with: ties}]
"""
TRAINED = """\
train: {with: grpo, steps: 2, prompts_per_step: 4, generations: 4, save_every: 1}
evaluate: {limit: 1, batch_size: 8}
methods: {trained: [math]}
"""
LESS_THAN_A_MODEL = 40960
"""More than the weights, so that a run starts, and less than weights, tokenizer and records."""


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    place = tmp_path_factory.mktemp("disk")
    plugin = installed("faulty", "faulty_plugin", tmp_path_factory.mktemp("plugin"))
    try:
        made = SmallDisk(place, size=3 << 20, plugins=[plugin])
    except OSError as error:
        pytest.skip(f"no small disk can be mounted here: {error}")
    yield made
    made.close()


class FullWorld:
    """A finished run on the small disk; its base model and its protocols lie on another."""

    def __init__(self, disk, folder):
        self.disk = disk
        self.base = tiny_checkpoint(folder / "base")
        self.protocol = folder / "full.yaml"
        self.protocol.write_text(PROTOCOL.replace("BASE", str(self.base)))
        self.runs = disk.place / "runs"
        self.run = ("run", self.protocol, "-o", self.runs, "--delta-checkpoints", "never")
        self.keys = self.keys_of(self.protocol)
        disk.harness(*self.run)

    def keys_of(self, protocol):
        """Returns the key of each node by its kind and label; of those called the same, the first."""
        nodes = json.loads(self.disk.harness("plan", protocol, "--json").stdout)["nodes"]
        return {f"{node['kind']} {node['label']}": node["key"] for node in reversed(nodes)}

    @property
    def store(self):
        return Store(self.disk.files / "runs" / "store")

    def results(self):
        """Returns the digests of all results; asserts that they are whole and that nothing lies beside them."""
        root = self.store.root
        keys = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
        assert [fault for key in keys for fault in self.store.verify(key)] == []
        assert [path for path in self.disk.files.rglob("*") if ".tmp-" in path.name] == []
        return {key: (root / key / "DONE.json").read_bytes() for key in keys}

    def sources(self):
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.base.iterdir()}

    def fills_making(self, key, room, *command, message):
        """Has `command` make the result `key` again on a disk with `room` left, then with enough; asserts that nothing
        else changes, and returns what was told."""
        shutil.rmtree(self.store.path(key), ignore_errors=True)
        before, sources = self.results(), self.sources()
        self.disk.leave(room)
        told = self.disk.harness(*command, expect=1).stderr
        assert message in told
        assert "free some, then run the same command: finished steps are stored" in told
        assert self.results() == before
        assert self.sources() == sources
        self.disk.free()
        self.disk.harness(*command)
        assert self.results().keys() == before.keys() | {key}
        return told


@pytest.fixture(scope="module")
def world(disk, tmp_path_factory):
    return FullWorld(disk, tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("node", ["recover recover math (rollback)", "merge merge rolled-back + expert (ties)"])
def test_a_model_that_is_written(world, node):
    label = node.partition(" ")[2]
    message = f"{world.runs}/store: no space is left on its disk: {label} was not finished"
    told = world.fills_making(world.keys[node], LESS_THAN_A_MODEL, *world.run, message=message)
    assert "the remaining checkpoints take about 32.4 KiB" in told


def test_scores_that_are_written(world):
    key = world.keys["evaluate math after base"]
    one = ("exec-node", world.protocol, key, "-o", world.runs)
    world.fills_making(key, 8192, *one, message=f"{world.runs}/store: no space is left on its disk")


def test_states_that_a_training_resumes_from(world):
    protocol = world.protocol.with_name("trained.yaml")
    protocol.write_text(PROTOCOL.partition("train:")[0].replace("BASE", str(world.base)) + TRAINED)
    key = world.keys_of(protocol)["train math"]
    message = f"{world.runs}/store: no space is left on its disk"
    told = world.fills_making(key, 45056, "exec-node", protocol, key, "-o", world.runs, message=message)
    assert "math: 1/2" in told  # the state of the first step is what did not fit


def test_models_that_are_restored(world):
    step, scores = world.keys["train cw"], world.keys["evaluate math after cw"]
    for key in (step, scores):
        shutil.rmtree(world.store.path(key))
    always = (*world.run[:-1], "always")
    world.disk.harness(*always)
    assert (world.store.path(step) / "model" / "delta.json").is_file()
    one = ("exec-node", world.protocol, scores, "-o", world.runs)
    world.fills_making(scores, 20480, *one, message=f"{world.runs}/store: no space is left on its disk")


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (("export", "full", "merged", "OUT", "-o", "RUNS"), "README.md"),
        (("report", "full", "--runs", "RUNS", "-o", "OUT/report.html", "--figures", "OUT"), "report.html"),
        (("leaderboard", "add", "full", "--runs", "RUNS", "-d", "OUT"), "leaderboard.json"),
        (("leaderboard", "export", "full", "--runs", "RUNS", "-f", "html", "-o", "OUT/table.html"), "table.html"),
    ],
)
def test_what_is_made_of_a_run(world, arguments, output):
    place = world.disk.files / "out"
    places = {"OUT": str(world.disk.place / "out"), "RUNS": str(world.runs)}
    command = [part.replace("OUT", places["OUT"]).replace("RUNS", places["RUNS"]) for part in arguments]
    before = world.results()
    world.disk.leave(8192)
    told = world.disk.harness(*command, expect=1).stderr
    assert "no space is left on its disk" in told
    assert places["OUT"] in told
    assert [path for path in place.rglob("*") if path.is_file()] == []
    world.disk.free()
    world.disk.harness(*command)
    assert (place / output).is_file()
    assert world.results() == before
    shutil.rmtree(place)
