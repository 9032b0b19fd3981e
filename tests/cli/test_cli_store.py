"""`harness store`: listing, verification, and what repair and prune remove or keep."""

import json
import os
import shutil

import pytest
from cli_output import cli_output
from runnable_world import PROTOCOL, Bench
from typer.testing import CliRunner

from harness import StepFailed, UsageError
from harness.cli.store import commands
from harness.execution.store import Store
from harness.execution.store_marker import MARKER, DamagedResult
from harness.report.reading import read_run


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # whether results survive a power cut is tested elsewhere
    # The memory that a step took differs between runs; without it, a repaired result has the same bytes.
    monkeypatch.setattr("harness.execution.computation.peak_memory", dict)
    bench = Bench(tmp_path)
    assert not bench.run().failures
    return bench


def store(*arguments):
    return cli_output(commands, *arguments)


def flip(path, position=-1):
    """Flips one bit, and leaves size and time stamps as they are."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def damage(bench):
    """Flips a bit of a model, edits a row, removes a file, adds one; returns the keys in that order."""
    keys = [bench.key(label) for label in ("a", "a after a", "recover a (undo)", "b")]
    model, rows, gone, more = map(bench.store.path, keys)
    flip(model / "model" / "model.safetensors")
    (rows / "rows.json").write_text((rows / "rows.json").read_text().replace('"value": 4.0', '"value": 9.0'))
    (gone / "result.json").unlink()
    (more / "model" / "chat_template.jinja").write_text("{{ messages }}")
    return keys


def test_list_names_every_result_with_its_runs(bench):
    listed = {entry["key"]: entry for entry in json.loads(store("list", bench.runs, "--json"))}
    made = {key: node for key, node in bench.plan.nodes.items() if node.kind != "base"}
    assert listed.keys() == made.keys()
    for key, entry in listed.items():
        assert (entry["kind"], entry["runs"]) == (made[key].kind, [bench.plan_folder])
        assert entry["size"] == sum(p.stat().st_size for p in bench.store.path(key).rglob("*") if p.is_file())
    header, *lines = store("list", bench.runs).splitlines()
    assert header.split() == ["key", "kind", "size", "label", "[runs]"]
    [undone] = [line for line in lines if "  recover a (undo) (seed 0)" in line]
    assert undone.index("recover") == header.index("kind")


def test_size_adds_up(bench):
    size = json.loads(store("size", bench.runs, "--json"))
    assert size["total"] == sum(size["kinds"].values()) == size["runs"][bench.plan_folder]["only_here"] > 0
    assert size["unreferenced"] == 0


def test_verify_finds_a_flipped_bit_an_edited_row_a_missing_file_and_an_added_one(bench):
    assert "all as they were written" in store("verify", bench.runs)
    keys = damage(bench)
    result = CliRunner().invoke(commands, ["verify", str(bench.runs), "--json"])
    assert isinstance(result.exception, StepFailed) and "4 of " in result.exception.message
    assert f"harness store repair {bench.runs}" in result.exception.hint
    found = {entry["key"]: entry["faults"] for entry in json.loads(result.stdout)["damaged"]}
    assert found == {
        keys[0]: ["model/model.safetensors has changed since it was written"],
        keys[1]: ["rows.json has changed since it was written"],
        keys[2]: ["result.json is missing"],
        keys[3]: ["model/chat_template.jinja was added"],
    }


def test_repair_removes_what_is_damaged_and_the_run_computes_it_again(bench):
    keys = damage(bench)
    before = {key: (bench.store.path(key) / MARKER).read_text() for key in bench.store.results()}
    assert "would be repaired" in store("repair", bench.runs, "--dry-run")
    assert set(bench.store.results()) == before.keys()
    told = store("repair", bench.runs)
    assert "removed 1 added file from it" in told
    assert before.keys() - set(bench.store.results()) == set(keys[:3])
    assert "all as they were written" in store("verify", bench.runs)
    trained = len(bench.world.trained)
    assert bench.run().executed == 3
    assert bench.world.trained[trained:] == ["a"]
    assert {key: (bench.store.path(key) / MARKER).read_text() for key in bench.store.results()} == before


def test_repair_leaves_the_results_of_another_version_and_files_that_are_not_the_stores(bench):
    path = bench.store.path(bench.key("a")) / MARKER
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    mine = bench.store.root / "backup"
    mine.mkdir()
    assert "it has format 99" in store("repair", bench.runs)
    assert path.is_file() and mine.is_dir()


def test_a_training_from_a_flipped_checkpoint_is_refused_and_nothing_that_depends_on_it_is_computed(bench):
    flip(bench.store.path(bench.key("a")) / "model" / "model.safetensors")
    for label in ("b", "recover a (repeat)"):
        shutil.rmtree(bench.store.path(bench.key(label)))
    trained = len(bench.world.trained)
    outcome = bench.run()
    assert [failure.node.label for failure in outcome.failures] == ["b"]
    assert [node.label for node in outcome.left] == ["recover a (repeat)"]
    error = outcome.failures[0].error
    assert isinstance(error, DamagedResult) and error.exit_code == 1
    assert error.message == (
        "the result of a is damaged in the store: model/model.safetensors has changed since it was written"
    )
    assert error.where == str(bench.store.path(bench.key("a")))
    assert "harness store repair" in error.hint
    assert len(bench.world.trained) == trained


def test_a_flipped_checkpoint_is_read_where_verification_is_off(bench, monkeypatch):
    flip(bench.store.path(bench.key("a")) / "model" / "model.safetensors", position=20)
    monkeypatch.setenv("HARNESS_VERIFY", "0")
    Store(bench.store.root).check(bench.key("a"), "model")
    monkeypatch.delenv("HARNESS_VERIFY")
    with pytest.raises(DamagedResult):
        Store(bench.store.root).check(bench.key("a"), "model")
    Store(bench.store.root, verify=False).check(bench.key("a"), "model")


@pytest.mark.parametrize("value", ["9.0", "99.0"])
@pytest.mark.parametrize("label", ["a after a", "count of sequential"])
def test_an_edited_row_does_not_reach_the_tables(bench, label, value):
    rows = bench.store.path(bench.key(label)) / "rows.json"
    rows.write_text(rows.read_text().replace("4.0", value).replace('"step": 1', '"step": 7'))
    (bench.runs / bench.plan_folder / "leaderboard.json").unlink()
    if value == "9.0" and "after" in label:  # of the same size: only its digest tells
        with pytest.raises(DamagedResult, match=r"rows\.json has changed"):
            bench.run()
    else:
        bench.run()
        assert f'"mean": {value}' not in (bench.runs / bench.plan_folder / "leaderboard.json").read_text()


def test_a_damaged_row_is_refused_by_readers_that_compute_nothing(bench):
    rows = bench.store.path(bench.key("a after a")) / "rows.json"
    rows.write_text(rows.read_text() + " ")
    (bench.runs / bench.plan_folder / "leaderboard.json").unlink()
    with pytest.raises(DamagedResult, match=r"rows\.json has changed"):
        read_run(bench.runs / bench.plan_folder)


def other_run(bench, folder):
    """Adds a run of one more domain order to the store of `bench`; returns its bench."""
    folder.mkdir()
    text = PROTOCOL.replace("name: small", "name: other")
    text = text[: text.index("methods:")] + "methods: {reverse: [b, a]}\n"
    other = Bench(folder, text.replace("FOLDER", str(bench.folder / "base")))
    other.runs, other.store = bench.runs, Store(bench.runs / "store")
    assert not other.run().failures
    return other


def test_prune_keeps_all_that_a_kept_run_refers_to(bench, tmp_path):
    other = other_run(bench, tmp_path / "other")
    kept = {key for key in other.plan.nodes if other.plan.nodes[key].kind != "base"}
    before = set(bench.store.results())
    folder = f"other-{other.plan.key[:12]}"
    assert "to remove" in store("prune", "--keep", folder, "-o", bench.runs, "--dry-run")
    with pytest.raises(UsageError, match="removes results"):
        store("prune", "--keep", folder, "-o", bench.runs)
    assert set(bench.store.results()) == before
    store("prune", "--keep", "other", "-o", bench.runs, "--yes")
    assert set(bench.store.results()) == kept < before
    assert "0 results" in store("prune", "-o", bench.runs, "--yes")
    shutil.rmtree(bench.runs / folder)
    store("prune", "-o", bench.runs, "--yes")
    assert set(bench.store.results()) == kept & bench.plan.nodes.keys() < kept


def test_prune_takes_unfinished_work_that_no_kept_run_refers_to(bench):
    (bench.store.scratch("f" * 64) / "state").write_text("x")
    bench.store.remove(bench.key("b"))
    own = bench.store.scratch(bench.key("b"))
    assert "1 unfinished ones" in store("prune", "-o", bench.runs, "--yes")
    assert own.is_dir() and not (own.parent / ("f" * 64)).exists()


def test_prune_keeps_what_running_processes_use(bench, tmp_path):
    other_run(bench, tmp_path / "other")
    before = set(bench.store.results())
    with Store(bench.store.root).in_use(bench.plan.key):
        assert "are in use by running processes" in store("prune", "--keep", "other", "-o", bench.runs, "--yes")
    assert set(bench.store.results()) == before
    step = bench.key("recover a (repeat)")
    with Store(bench.store.root).lock(step):
        store("prune", "--keep", "other", "-o", bench.runs, "--yes")
    left = set(bench.store.results())
    assert {step, bench.key("a"), bench.key("b")} <= left < before


def test_prune_stops_at_a_plan_it_cannot_read(bench):
    (bench.runs / bench.plan_folder / "plan.json").write_text("{")
    with pytest.raises(UsageError, match="this plan cannot be read"):
        store("prune", "-o", bench.runs, "--yes")


def test_a_folder_without_a_store_is_named(tmp_path):
    with pytest.raises(UsageError, match="there is no store"):
        store("verify", tmp_path)
