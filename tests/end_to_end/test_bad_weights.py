"""Checkpoints that are broken, or do not fit together, met from the command line: refused with a message that names
them, before anything is built on them, and with nothing lost beside."""

import hashlib
import json
import shutil

import pytest
from faulty_plugin import NAME, spoil
from safetensors.torch import load_file, save_file
from warm_command import WarmCommand, installed

from harness.execution.store import Store
from harness.testing.tiny_world import tiny_checkpoint

HEAD = """\
schema: 1
name: NAME
summary: Checkpoints that are broken or do not fit together
model: {pretrained: BASE}
domains: {math: {use: lab-math, prompts: 16}, cw: {use: lab-cw, prompts: 16}}
train: {with: faulty}
evaluate: {limit: 1, batch_size: 8}
methods:
"""
BROKEN = {
    "nan": f"left a model that cannot be used: {NAME} holds nan at index 50",
    "shape": f"left no whole model in its output: {NAME} has the shape (31, 16), but the config asks for (32, 16)",
    "missing": f"1 of the weights that the config asks for are missing, such as {NAME}",
    "tied": "the weights hold lm_head.weight beside model.embed_tokens.weight, to which the config ties it",
    "no-tokenizer": "left no whole model in its output: the folder has no tokenizer",
    "cut": "model.safetensors: the file has ",
    "config": "left no whole model in its output: config.json: the file is not JSON",
}
MISFITS = {
    "dtype": (
        "lm_head.weight has the dtype torch.bfloat16 in one checkpoint and torch.float32 in the other",
        "lm_head.weight has the dtype torch.float32 in one checkpoint and torch.bfloat16 in the other",
    ),
    "tokenizer": ("the checkpoints have different tokenizers: their model differ",),
}
CONSUMERS = {
    "rollback": "[math, {train: cw, fault: FAULT}, {recover: math, with: rollback, score: magnitude}]",
    "against": "[math, {train: cw, fault: FAULT}, cw, {recover: math, with: rollback, score: magnitude, against: 2}]",
    "interpolate": "[math, {train: cw, fault: FAULT}, {recover: math, with: interpolate}]",
    "linear": "[{merge: [expert, FAULT-expert], with: linear}]",
    "ties": "[{merge: [FAULT-expert, expert], with: ties}]",
    "dare": "[{merge: [FAULT-expert, expert], with: dare}]",
}
# An edit between two checkpoints is added up in fp32, whatever dtypes they have.
REFUSED = [(fault, name) for fault in MISFITS for name in CONSUMERS if (fault, name) != ("dtype", "against")]
REMEDY = "removes it, and the same `harness run` computes it again"


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    command = WarmCommand(plugins=[installed("faulty", "faulty_plugin", tmp_path_factory.mktemp("plugin"))])
    yield command
    command.close()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("models") / "base")


def write_protocol(path, base, methods):
    head = HEAD.replace("NAME", path.stem).replace("BASE", str(base))
    path.write_text(head + "".join(f"  {name}: {steps}\n" for name, steps in methods.items()))
    return path


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def results(runs):
    """Returns the keys of the results, all of them whole; asserts that nothing lies beside them."""
    store = Store(runs / "store")
    keys = [path.name for path in store.root.iterdir() if not path.name.startswith(".")]
    assert [fault for key in keys for fault in store.verify(key)] == []
    assert list(runs.rglob("*.tmp-*")) == []
    return keys


class Broken:
    """One run of every fault: what the command told, and where its results are."""

    def __init__(self, harness, base, folder):
        misfits = {f"{fault}-expert": f"[{{train: cw, fault: {fault}}}]" for fault in MISFITS}
        misfits |= {
            f"{fault}-{name}": steps.replace("FAULT", fault) for fault in MISFITS for name, steps in CONSUMERS.items()
        }
        broken = {name: CONSUMERS["rollback"].replace("FAULT", name) for name in BROKEN}
        self.runs = folder / "runs"
        self.protocol = write_protocol(folder / "broken.yaml", base, {"expert": "[math]"} | broken | misfits)
        self.before = digests(base)
        self.told = harness("run", self.protocol, "-o", self.runs, "--json", expect=1)
        plan = json.loads(harness("plan", self.protocol, "--json").stdout)
        self.steps = {method["name"]: method["lineage"] for method in plan["methods"]}
        self.errors = {failure["key"]: failure["error"] for failure in json.loads(self.told.stdout)["failures"]}


@pytest.fixture(scope="module")
def broken(harness, base, tmp_path_factory):
    return Broken(harness, base, tmp_path_factory.mktemp("broken"))


@pytest.mark.parametrize("fault", BROKEN)
def test_a_step_that_leaves_a_broken_model_fails_itself(broken, fault):
    _, trained, damaged, recovered = broken.steps[fault]
    assert broken.errors[damaged].startswith("faulty 1.0: algorithm 'faulty': ")
    assert BROKEN[fault] in broken.errors[damaged]
    kept = results(broken.runs)
    assert trained in kept
    assert damaged not in kept
    assert recovered not in kept


@pytest.mark.parametrize(("fault", "consumer"), REFUSED)
def test_checkpoints_that_do_not_fit_are_named_by_their_steps(broken, fault, consumer):
    last = broken.steps[f"{fault}-{consumer}"][-1]
    told = broken.errors[last]
    assert any(message in told for message in MISFITS[fault])
    assert "cw (" in told  # the step, before the folder of its checkpoint
    assert "math (" in told
    assert last not in results(broken.runs)


def test_nothing_else_failed_and_nothing_was_touched(broken, base):
    bad = {broken.steps[fault][2] for fault in BROKEN}
    misfit = {broken.steps[f"{fault}-{consumer}"][-1] for fault, consumer in REFUSED}
    assert broken.errors.keys() == bad | misfit
    assert digests(base) == broken.before
    assert "run the same command again: finished steps are stored" in broken.told.stderr


def test_a_result_that_changed_after_it_was_written(harness, base, tmp_path):
    runs = tmp_path / "runs"
    methods = {name: CONSUMERS[name].replace("FAULT", "''") for name in ("rollback", "interpolate")}
    methods |= {"trained": "[math, cw]", "expert": "[math]", "ties": "[{merge: [trained, expert], with: ties}]"}
    protocol = write_protocol(tmp_path / "changed.yaml", base, methods)
    run = ("run", protocol, "-o", runs, "--delta-checkpoints", "never", "--json")
    harness(*run, "--methods", "trained")
    plan = json.loads(harness("plan", protocol, "--json").stdout)
    steps = {method["name"]: method["lineage"] for method in plan["methods"]}
    math, cw = (runs / "store" / key for key in steps["trained"][1:])
    spoil(cw / "model", "nan")  # of the same size: only a look at every byte tells
    before = digests(math)

    failures = json.loads(harness(*run, expect=1).stdout)["failures"]
    assert {failure["key"] for failure in failures} == {steps[name][-1] for name in ("rollback", "interpolate", "ties")}
    for failure in failures:
        assert failure["error"].startswith(f"{cw}: the result of cw is damaged in the store: model/model.safetensors")
        assert REMEDY in failure["error"]
    assert digests(math) == before
    told = harness("export", "changed", "trained", tmp_path / "out", "-o", runs, expect=1).stderr
    assert "this result is damaged in the store: model/model.safetensors has changed" in told
    assert not (tmp_path / "out").exists()

    shutil.rmtree(cw)
    assert json.loads(harness(*run).stdout)["failures"] == []
    assert {cw.name, *(steps[name][-1] for name in ("rollback", "interpolate", "ties"))} <= set(results(runs))
    (math / "model" / "model.safetensors").unlink()  # what is missing needs no look
    assert f"math: damaged in the store, computed again ({math.name[:12]})" in harness(*run).stderr
    assert math.name in results(runs)


def shard(folder):
    """Writes the weights of `folder` as two files with an index; returns the second."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {name: f"model-{1 + (name == NAME)}.safetensors" for name in tensors}
    for file in set(places.values()):
        part = {name: tensors[name] for name in tensors if places[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder / places[NAME]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("nan", f"{NAME} holds nan at index 50"),
        ("missing", f"1 of the weights that the config asks for are missing, such as {NAME}"),
        ("no-tokenizer", "the folder has no tokenizer"),
        ("config", "the file is not JSON"),
    ],
)
def test_a_base_model_is_refused_before_anything_starts(harness, base, tmp_path, fault, message):
    model = shutil.copytree(base, tmp_path / "model")
    spoil(model, fault)
    before = digests(model)
    protocol = write_protocol(tmp_path / "base.yaml", model, {"expert": "[math]"})
    told = harness("run", protocol, "-o", tmp_path / "runs", expect=2).stderr
    assert f"mdrl-harness 0.1.0: model 'pretrained', {model}" in told
    assert message in told
    assert list((tmp_path / "runs").iterdir()) == []
    assert digests(model) == before


def test_a_shard_that_is_missing_from_the_base_and_put_back(harness, base, tmp_path):
    model = shutil.copytree(base, tmp_path / "model")
    file = shard(model)
    protocol = write_protocol(tmp_path / "shard.yaml", model, {"expert": "[math]"})
    missing = file.rename(tmp_path / file.name)
    for command in (
        ("plan", protocol),
        ("run", protocol, "-o", tmp_path / "runs"),
        ("predict", protocol, "--completions", 32),
        ("predict", protocol, "--at", model),
    ):
        told = harness(*command, expect=2).stderr
        assert f"{model}: the index names files that are missing: {file.name}" in told
    assert not (tmp_path / "runs").exists()
    missing.rename(file)
    harness("run", protocol, "-o", tmp_path / "runs")
    assert results(tmp_path / "runs")
