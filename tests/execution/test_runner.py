import errno
import json

import pytest
from runnable_world import PROTOCOL, Bench

from harness import Engine, StepFailed
from harness._util.content_key import content_key
from harness._util.disk_errors import StoreFull
from harness._util.signals import Terminated
from harness.errors import UsageError
from harness.execution.run_folder import RunFolder
from harness.execution.runner import walk_order
from harness.execution.score_table import read_scores
from harness.execution.seeds import named_seed
from harness.planning.checks import check_space
from harness.planning.disk_need import DiskNeed
from harness.results.leaderboard import Leaderboard


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_nodes_are_walked_depth_first_and_scored_at_once(bench):
    labels = [node.label for node in walk_order(bench.plan)]
    assert labels[:8] == [
        "a after base", "b after base", "a", "a after a", "b after a", "b", "a after b", "b after b"
    ]  # fmt: skip
    assert labels[8] == "count of sequential"
    assert sorted(labels) == sorted(node.label for node in bench.plan.nodes.values() if node.kind != "base")


def test_a_run_makes_everything_once_and_writes_its_tables(bench):
    outcome = bench.run()
    assert (outcome.executed, outcome.done, outcome.failures, outcome.left) == (outcome.nodes, 0, (), ())
    assert bench.world.trained == ["a", "b", "a"]  # the beginning that the methods share, and the repeated training
    assert read_scores(outcome.folder / "scores.parquet").height == 2 * (3 + 4 + 4)
    row = Leaderboard.read(outcome.folder / "leaderboard.json").row("again")
    assert row.scores["a"].mean == 10.0
    for name in ("protocol.yaml", "plan.json", "provenance.json", "events.jsonl"):
        assert (outcome.folder / name).is_file()
    assert (outcome.folder / "protocol.yaml").read_text() == bench.path.read_text()


def test_every_result_is_stored_with_the_definition_of_its_key(bench):
    bench.run()
    base = bench.plan.methods[0].lineage[0]
    made = [node.key for node in bench.plan.nodes.values() if node.kind != "base"]
    for key in made:
        stored = bench.store.definition(key)
        assert content_key(**stored["definition"]) == key
        assert content_key(**stored["base"]) == base
        assert bench.store.verify(key) == []


def test_a_second_run_does_nothing_and_writes_nothing(bench):
    first = bench.run()
    before = {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    second = bench.run()
    assert (second.executed, second.done) == (0, first.nodes)
    assert {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()} == before


def test_missing_tables_are_written_again_without_making_anything(bench):
    first = bench.run()
    (first.folder / "leaderboard.json").unlink()
    second = bench.run()
    assert second.executed == 0
    assert (first.folder / "leaderboard.json").is_file()


def test_a_changed_setting_reruns_only_what_depends_on_it(tmp_path):
    Bench(tmp_path).run()
    changed = Bench(tmp_path, PROTOCOL.replace("with: repeat", "with: repeat, learning_rate: 2.0"))
    outcome = changed.run()
    assert changed.world.trained == ["a"]
    assert outcome.executed == 4  # the recovery, its two scores, the probe of its method


def test_a_failed_node_stops_only_what_starts_from_it(bench):
    refreshing = named_seed(0, "recover", "train", 3)

    def fail(names, step, context):
        if context.seed == refreshing:
            raise RuntimeError("out of luck")

    bench.world.on_train = fail
    outcome = bench.run()
    [failure] = outcome.failures
    assert failure.node.label == "recover a (repeat)"
    assert "out of luck" in str(failure.error)
    assert {node.label for node in outcome.left} == {
        "a after recover a (repeat)", "b after recover a (repeat)", "count of again"
    }  # fmt: skip
    assert bench.store.has(bench.key("recover a (undo)"))
    assert Leaderboard.read(outcome.folder / "leaderboard.json").row("sequential").scores["a"].mean == 7.0
    bench.world.on_train = None
    assert bench.run().executed == 4


@pytest.mark.parametrize(("raised", "told"), [(KeyboardInterrupt, "interrupted"), (Terminated, "stopped by SIGTERM")])
def test_a_stopped_run_has_partial_tables_and_goes_on(bench, raised, told):
    def stop(names, step, context):
        if names == "b":
            raise raised

    bench.world.on_train = stop
    with pytest.raises(raised):
        bench.run()
    [folder] = [path for path in bench.runs.iterdir() if path.name != "store"]
    assert read_scores(folder / "scores.parquet").height == 2 * (2 + 2 + 2)
    assert RunFolder(folder).events()[-2]["stopped"] == told
    assert json.loads((folder / "provenance.json").read_text())["invocations"][0]["stopped"] == told
    bench.world.on_train, bench.world.trained = None, []
    outcome = bench.run()
    assert bench.world.trained == ["b", "a"]
    assert not outcome.failures
    assert len(json.loads((folder / "provenance.json").read_text())["invocations"]) == 2


def test_a_damaged_result_is_made_again_and_that_is_told(bench):
    bench.run()
    (bench.store.path(bench.key("a after b")) / "rows.json").write_text("")
    outcome = bench.run()
    assert outcome.executed == 1
    assert any("damaged in the store" in note for note in bench.reporter.notes)


def test_observers_hear_of_every_node_and_their_faults_are_warnings(bench):
    bench.run()
    by_label = {event.label: event for event in bench.world.observed}
    assert by_label["a"].report == {"resumed_from": 0}
    assert len(bench.world.observed) == len(walk_order(bench.plan))

    class Deaf:
        def append(self, event):
            raise RuntimeError("cannot hear")

    bench.world.observed = Deaf()
    (bench.store.path(bench.key("a after b")) / "rows.json").write_text("")
    assert not bench.run().failures
    assert any("cannot hear" in note for note in bench.reporter.notes)


def test_an_engine_that_makes_nothing_is_told(bench):
    class Idle(Engine):
        def execute(self, request):
            """Nothing."""

    outcome = bench.runner(Idle()).run()
    assert {failure.node.label for failure in outcome.failures} == {"a after base", "b after base"}
    assert "the engine Idle returned" in str(outcome.failures[0].error)


def test_an_engine_gets_a_command_that_names_the_node(bench):
    seen = []

    class Look(Engine):
        def execute(self, request):
            seen.append(request)
            raise StepFailed("seen enough")

    bench.runner(Look()).run()
    request = seen[0]
    assert request.key in request.arguments
    assert "exec-node" in request.arguments
    assert str(bench.path) in request.arguments
    assert request.store == bench.store.root


def test_a_need_for_the_network_is_told_before_anything_runs(tmp_path, monkeypatch):
    bench = Bench(tmp_path, add=frozenset({"network"}))
    monkeypatch.setenv("HARNESS_OFFLINE", "1")
    with pytest.raises(UsageError, match=r"algorithm 'add' \(in a\) needs the network, and HARNESS_OFFLINE"):
        bench.run()
    assert not bench.store.root.exists()
    monkeypatch.setenv("HARNESS_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # forbids the hub, which is not the whole network
    assert not bench.run().failures


def test_a_runs_folder_that_is_a_file_is_told_before_anything_runs(bench):
    bench.runs.write_text("a file")
    with pytest.raises(UsageError, match="cannot be written to") as raised:
        bench.run()
    assert raised.value.where == str(bench.runs)
    assert bench.world.evaluated == 0


def test_a_full_disk_stops_the_run_and_is_what_it_tells(bench):
    def fill(names, step, context):
        (bench.runs / bench.plan_folder / "provenance.json").unlink()
        (bench.runs / bench.plan_folder / "provenance.json").mkdir()  # nothing can be recorded either
        raise OSError(errno.ENOSPC, "No space left on device")

    bench.world.on_train = fill
    with pytest.raises(StoreFull, match="no space is left"):
        bench.run()
    assert bench.world.trained == ["a"]
    assert bench.reporter.notes[-1].startswith("warning: this stop is not fully recorded")
    assert bench.store.has(bench.key("a after base"))


def test_too_little_room_is_told(bench):
    check_space(bench.folder, DiskNeed(checkpoints=4, checkpoint_bytes=4))
    with pytest.raises(UsageError, match=r"iB free; 3 checkpoints need about 1,000,000 TiB"):
        check_space(
            bench.folder, DiskNeed(checkpoints=3, checkpoint_bytes=10**18, scratch_bytes=99_511_627_776_000_000)
        )
    with pytest.raises(UsageError, match="restored from deltas") as raised:
        check_space(bench.folder, DiskNeed(checkpoints=3, checkpoint_bytes=4, restored_bytes=10**18))
    assert "--delta-checkpoints never" in raised.value.hint
