"""Checkpoints stored as deltas: the same results, less disk space, and no partial files."""

import errno
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from own_commands import commands_on
from tensor_world import PROTOCOL, TensorBench

from harness._util.disk_errors import StoreFull
from harness.errors import CheckpointError, StepFailed
from harness.execution import CheckpointFolders
from harness.execution.restoring import RestoredModels, soonest
from harness.execution.store import Store
from harness.execution.store_marker import DamagedResult
from harness.weights import delta
from harness.weights.storage_forms import KEPT, Deltas

HEAD = PROTOCOL[: PROTOCOL.index("methods:")]


@pytest.fixture
def bench(tmp_path):
    return TensorBench(tmp_path)


def is_delta(folder):
    return (folder / "delta.json").is_file() and not (folder / "config.json").exists()


def is_whole(folder):
    return (folder / "config.json").is_file() and not (folder / "delta.json").exists()


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def steps_of(bench):
    return [node for node in bench.plan.nodes.values() if node.kind in ("train", "recover", "merge")]


@pytest.mark.parametrize(("dtype", "shards"), [("bfloat16", 1), ("float32", 3)])
def test_every_result_is_that_of_whole_models_and_every_model_comes_back(tmp_path, dtype, shards):
    text = PROTOCOL.replace("use: drawn", f"use: drawn, dtype: {dtype}, shards: {shards}")
    text = text.replace("with: edit}\n", f"with: edit, shards: {shards}}}\n")
    benches = {deltas: TensorBench(tmp_path, text, runs=deltas) for deltas in Deltas}
    for deltas, bench in benches.items():
        assert not bench.run(deltas).failures
        assert bench.restored() == set()
    whole = benches[Deltas.NEVER]
    for node in steps_of(whole):
        expected = contents(whole.model(node.label))
        assert is_whole(whole.model(node.label))
        for deltas in (Deltas.AUTO, Deltas.ALWAYS):
            bench = benches[deltas]
            with CheckpointFolders(bench.plan, bench.store, bench.registry) as folders:
                assert contents(folders.folder(node.key)) == expected
    for node in whole.plan.nodes.values():
        if node.kind in ("evaluate", "probe"):
            results = [contents(bench.store.path(node.key)) for bench in benches.values()]
            assert results[0] == results[1] == results[2]
    assert all(is_delta(benches[Deltas.ALWAYS].model(node.label)) for node in steps_of(whole))


def test_a_delta_is_kept_where_it_is_smaller_and_a_model_where_it_is_not(bench):
    bench.make(*[node.label for node in steps_of(bench)])
    kept = {node.label: is_delta(bench.model(node.label)) for node in steps_of(bench)}
    assert kept.pop("a+b") is False  # all values drawn anew
    assert kept.pop("merge sequential + other (mean)") is False
    assert kept and all(kept.values())
    size = sum(map(len, contents(bench.model("a")).values()))
    assert size < 0.3 * (bench.runs.parent / "base" / "model.safetensors").stat().st_size


@pytest.mark.parametrize("change", ["dtype: float32", "width: 48", "shards: 2"])
@pytest.mark.parametrize("deltas", [Deltas.AUTO, Deltas.ALWAYS])
def test_whatever_a_step_makes_of_its_parent_comes_back(tmp_path, change, deltas):
    text = f"{HEAD}methods: {{only: [a, {{train: b, {change}}}]}}\n"
    one, other = TensorBench(tmp_path, text, runs="one"), TensorBench(tmp_path, text, runs="other")
    labels = ("a", "b")
    one.make(*labels, deltas=deltas)
    other.make(*labels, deltas=Deltas.NEVER)
    with CheckpointFolders(one.plan, one.store, one.registry) as folders:
        for label in labels:
            assert contents(folders.folder(one.key(label))) == contents(other.model(label))


def test_a_step_that_is_killed_while_its_delta_is_made_leaves_nothing_and_is_made_again(bench, monkeypatch):
    bench.make("a")
    before = bench.store.verify(bench.key("a"))

    def kill(parent, folder):
        raise KeyboardInterrupt

    for name in ("verify", "_copy_others"):
        with monkeypatch.context() as patch:
            patch.setattr(delta, name, kill if name == "verify" else lambda *_: kill(None, None))
            with pytest.raises(KeyboardInterrupt):
                bench.make("b")
        assert not bench.store.has(bench.key("b"))
        assert not list(bench.store.root.glob("*.tmp-*"))
        assert bench.restored() <= {"a"}
    bench.make("b")
    assert before == bench.store.verify(bench.key("b")) == []


@pytest.mark.parametrize(
    "fault", [CheckpointError("unknown dtype"), OSError(errno.ENOSPC, "No space left on device"), StepFailed("torn")]
)
def test_where_no_delta_can_be_made_the_model_is_kept(bench, monkeypatch, fault):
    def fail(*_, **__):
        raise fault

    monkeypatch.setattr(delta, "write_delta", fail)
    bench.make("a", deltas=Deltas.ALWAYS)
    assert is_whole(bench.model("a"))
    assert bench.store.verify(bench.key("a")) == []
    assert {path.name for path in bench.model("a").parent.iterdir()} == {
        "DEFINITION.json", "DONE.json", "metrics.jsonl", "model", "result.json"
    }  # fmt: skip


def test_a_delta_that_does_not_restore_is_not_kept(bench, monkeypatch):
    packed = delta._packed
    monkeypatch.setattr(delta, "_packed", lambda old, start, new: packed(old, start, new ^ 1))
    bench.make("a", deltas=Deltas.ALWAYS)
    assert is_whole(bench.model("a"))


def test_a_disk_that_fills_while_a_model_is_restored_is_told_as_that(bench, monkeypatch):
    bench.make("a")
    bench.executor().drop_restored(())

    def fill(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(delta, "_unpack", fill)
    with pytest.raises(StoreFull):
        bench.make("b")
    assert not [name for name in bench.restored() if ".tmp-" in name]


def test_a_damaged_delta_is_told_with_its_step(bench):
    bench.make("a")
    bench.executor().drop_restored(())
    changes = bench.model("a") / "delta.bin"
    damaged = bytearray(changes.read_bytes())
    damaged[-9] ^= 1
    changes.write_bytes(damaged)
    told = r"result of a is damaged in the store: model/delta\.bin has changed"
    with pytest.raises(DamagedResult, match=told):
        bench.make("b")
    with (
        CheckpointFolders(bench.plan, bench.store, bench.registry) as folders,
        pytest.raises(DamagedResult, match=told),
    ):
        folders.folder(bench.key("a"))
    unverified = Store(bench.store.root, verify=False)
    with (
        CheckpointFolders(bench.plan, unverified, bench.registry) as folders,
        pytest.raises(CheckpointError, match="the delta is damaged") as raised,
    ):
        folders.folder(bench.key("a"))
    assert raised.value.where.startswith("a, ")
    assert bench.restored() == set()


def test_a_delta_whose_parent_is_gone_says_so(bench):
    bench.make("a", "b")
    bench.executor().drop_restored(())
    shutil.rmtree(bench.store.path(bench.key("a")))
    with pytest.raises(CheckpointError, match=r"stored as a delta, and its base \(a\) is missing: .* not in the store"):
        bench.make("c")


# ----------------------------------------------------------------------------- restored models


def test_a_run_keeps_few_restored_models_and_none_at_its_end(tmp_path):
    names = [f"d{index}" for index in range(9)]
    head = HEAD.replace(
        "{a: {use: game}, b: {use: game, level: 2}, c: {use: game, level: 3}}",
        "{" + ", ".join(f"{name}: {{use: game, level: {level + 1}}}" for level, name in enumerate(names)) + "}",
    )
    bench = TensorBench(tmp_path, head + f"methods:\n  long: [{', '.join(names)}]\n")
    seen = []
    bench.world.on_train = lambda context: seen.append(bench.restored())
    assert not bench.run().failures
    assert [len(labels) for labels in seen] == [0] + [1] * 8  # only the one that is trained from is still to be read
    assert bench.restored() == set()
    chained = TensorBench(tmp_path, head + f"methods:\n  long: [{', '.join(names)}]\nprobes: [{{use: digest}}]\n")
    chained.world.on_train = bench.world.on_train
    seen.clear()
    chained.run()
    assert seen == [] and chained.restored() == set()  # the probe alone was to be made, and it reads all of them
    shutil.rmtree(chained.runs)
    chained.run()
    assert max(len(labels) for labels in seen) == KEPT


def test_the_models_that_are_read_soonest_are_kept(bench):
    lineage = bench.plan.methods[0].lineage
    nodes = [bench.plan.nodes[key] for key in lineage[1:]]
    assert soonest(set(lineage[1:3]), nodes) == set(lineage[1:3])
    assert soonest(set(lineage[1:3]), nodes, most=1) == {lineage[1]}
    assert soonest(set(lineage[1:3]), nodes[2:]) == {lineage[2]}
    assert soonest(set(lineage), []) == soonest(set(), nodes) == set()


def test_what_is_read_is_not_dropped_by_others(bench):
    bench.make("a")
    key = bench.key("a")
    reading, other = (CheckpointFolders(bench.plan, bench.store, bench.registry) for _ in range(2))
    folder = reading.folder(key)
    before = contents(folder)
    RestoredModels(bench.store).drop()
    assert other.folder(key) == folder
    other.close()
    assert contents(folder) == before
    reading.restored.release()
    RestoredModels(bench.store).drop()
    assert bench.restored() == set()
    assert contents(other.folder(key)) == before  # and comes back for who asks again


READER = """
import sys
from pathlib import Path
from harness.execution.restoring import RestoredModels
from harness.execution.store import Store
from pathlib import Path
models = RestoredModels(Store(Path(sys.argv[1])))
models.beside(sys.argv[2]).mkdir()
print("holds", flush=True)
sys.stdin.read()
"""


def test_a_killed_reader_holds_nothing_and_what_it_left_is_removed(bench):
    bench.make("a")
    assert bench.restored() == {"a"}
    command = [sys.executable, "-c", READER, str(bench.store.root), bench.key("a")]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert reader.stdout.readline() == b"holds\n"
    models = RestoredModels(bench.store)
    models.drop()
    assert len(bench.restored()) == 2
    reader.send_signal(signal.SIGKILL)
    reader.communicate()
    models.drop()
    assert bench.restored() == set()


def test_files_that_are_no_models_stay(bench):
    bench.make("a")
    (bench.store.root / ".restored" / ".DS_Store").write_text("a file manager's")
    RestoredModels(bench.store).drop()
    assert bench.restored() == {".DS_Store"}


def test_a_torn_restored_model_is_made_again(bench):
    bench.make("a")
    torn = bench.store.root / ".restored" / bench.key("a")
    expected = contents(torn)
    (torn / "model.safetensors").write_bytes(b"torn")
    with CheckpointFolders(bench.plan, bench.store, bench.registry) as folders:
        assert contents(folders.folder(bench.key("a"))) == expected


def test_the_restored_model_of_a_result_that_was_removed_is_not_taken_for_the_next(bench):
    bench.make("a")
    shutil.rmtree(bench.store.path(bench.key("a")))
    stale = bench.store.root / ".restored" / bench.key("a")
    (stale / "config.json").write_text('{"kind": "of before"}')
    bench.make("a")
    assert json.loads((stale / "config.json").read_text()) == {"kind": "drawn"}


def test_a_store_without_restored_models_has_none(tmp_path):
    models = RestoredModels(Store(tmp_path / "nowhere"))
    models.drop()
    assert models.keys() == set()
    assert not (tmp_path / "nowhere").exists()


WORKER = """
import random, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tensor_world import TensorBench
from harness.weights.storage_forms import Deltas
from harness.execution.restoring import RestoredModels
bench = TensorBench(Path(sys.argv[2]), Path(sys.argv[2], "edits.yaml").read_text())
draw = random.Random(int(sys.argv[3]))
for node in bench.plan.nodes.values():
    bench.executor(Deltas.ALWAYS).execute(node.key)
    if draw.random() < 0.5:
        RestoredModels(bench.store).drop()
"""


def test_processes_that_share_a_store_and_drop_what_they_can_make_the_same_results(tmp_path, bench):
    alone = TensorBench(tmp_path, runs="alone")
    alone.make(*[node.label for node in steps_of(alone)], deltas=Deltas.NEVER)
    digests = [node.key for node in bench.plan.nodes.values() if node.kind == "probe"]
    command = [sys.executable, "-c", WORKER, str(Path(__file__).parents[1] / "support"), str(tmp_path)]
    workers = [
        subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for seed in range(3)
    ]
    for worker in workers:
        told, _ = worker.communicate()
        assert worker.returncode == 0, told
    with CheckpointFolders(bench.plan, bench.store, bench.registry) as folders:
        for node in steps_of(bench):
            assert contents(folders.folder(node.key)) == contents(alone.model(node.label))
    assert all(bench.store.verify(key) == [] for key in digests)
    RestoredModels(bench.store).drop()
    assert bench.restored() == set()


@pytest.mark.parametrize(("chosen", "variable", "kept"), [([], "always", is_delta), (["never"], "always", is_whole)])
def test_the_switch_reaches_other_processes_and_stands_above_the_variable(bench, monkeypatch, chosen, variable, kept):
    monkeypatch.setenv("HARNESS_DELTA_CHECKPOINTS", variable)
    command = commands_on(monkeypatch, bench.registry, bench.evaluate)

    def make(engine, request):
        """Makes the node by the command that another process would be started with."""
        monkeypatch.delenv("HARNESS_DELTA_CHECKPOINTS", raising=False)
        words = request.arguments[request.arguments.index("exec-node") :]
        assert command(*words, catch_exceptions=False).exit_code == 0

    monkeypatch.setattr("harness.execution.engines.local.Local.execute", make)
    switch = ["--delta-checkpoints", *chosen] if chosen else []
    words = ["run", bench.path, "-o", bench.runs, "--methods", "sequential", *switch]
    assert command(*words, catch_exceptions=False).exit_code == 0
    lineage = next(method.lineage for method in bench.plan.methods if method.name == "sequential")
    assert all(kept(bench.store.path(key) / "model") for key in lineage[1:])
    assert bench.restored() == set()


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tensor_world import TensorBench
from harness.weights.storage_forms import Deltas
bench = TensorBench(Path(sys.argv[2]), Path(sys.argv[2], "edits.yaml").read_text())
rename, count = Path.rename, 0
def killing(self, target):
    global count
    count += 1
    if count == int(sys.argv[3]):
        rename(self, target)
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
Path.rename = killing
bench.make("a", deltas=Deltas.ALWAYS)
"""


def test_a_process_killed_at_any_rename_leaves_a_whole_result_or_none(tmp_path, bench):
    bench.make("a", deltas=Deltas.ALWAYS)
    expected = contents(bench.model("a"))
    codes = []
    for moment in range(1, 9):
        shutil.rmtree(bench.store.root)
        command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[1] / "support"), str(tmp_path), str(moment)]
        codes.append(subprocess.run(command, check=False).returncode)
        assert bench.store.state(bench.key("a")) in ("absent", "done")
        if bench.store.has(bench.key("a")):
            assert bench.store.verify(bench.key("a")) == []
        bench.make("a")
        assert contents(bench.model("a")) == expected
        with CheckpointFolders(bench.plan, bench.store, bench.registry) as folders:
            assert delta.check(bench.model("a")) is None
            assert is_whole(folders.folder(bench.key("a")))
        bench.store.sweep()
        RestoredModels(bench.store).drop()
        assert not list(bench.store.root.glob("*.tmp-*"))
        assert bench.restored() == set()
        if codes[-1] == 0:
            break
    # The model aside, the delta in its place, the result, the model among the restored ones; then all went well.
    assert codes == [-signal.SIGKILL] * 4 + [0]
