"""The status of a run before, during and after execution, killed, interrupted and with failures."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from runnable_world import Bench

from harness import Run, RunStatus
from harness.execution.events import NodeEvents
from harness.execution.run_folder import RunFolder
from harness.execution.status import run_status
from harness.execution.status.live_metrics import last_metrics
from harness.execution.status.log import RunLog
from harness.execution.store import Store

START = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def folder(bench):
    return bench.runs / bench.plan_folder


@pytest.fixture
def begun(bench, folder):
    """A run folder with the plan, to which a test writes events."""
    written = RunFolder(folder)
    written.begin(bench.protocol, bench.plan)
    return written


def write_events(folder, *events):
    """Writes (seconds after START, name, fields) as the event log."""
    lines = [
        json.dumps({"time": (START + timedelta(seconds=at)).isoformat(), "event": name, **fields})
        for at, name, fields in events
    ]
    (folder / "events.jsonl").write_text("".join(f"{line}\n" for line in lines))


def named(status: RunStatus, label: str):
    [node] = [node for node in status.nodes if node.label == label]
    return node


def labels(status: RunStatus, state) -> list[str]:
    return [node.label for node in status.nodes_in(state)]


def test_a_run_in_the_middle(bench, folder):
    seen = []

    def look(names, step, context):
        if (names, step) == ("b", 3):
            seen.append(run_status(folder, bench.store))

    bench.world.on_train = look
    bench.run()
    [status] = seen
    assert (status.state, status.slots, status.slots_in_use) == ("running", 1, 1)
    assert labels(status, "running") == ["b"]
    assert set(labels(status, "done")) == {"a after base", "b after base", "a", "a after a", "b after a"}
    assert labels(status, "ready") == []
    assert "recover a (undo)" in labels(status, "waiting")
    running = named(status, "b")
    assert running.step == 2  # from the metrics in its scratch folder: this engine reports no progress
    assert running.started is not None
    assert named(status, "a").seconds is not None
    assert named(status, "a after base").metrics == {"wins/acc": 1.0}
    assert status.time_left.unmeasured == {"recover": 2, "probe": 3}


def test_a_killed_run_is_stopped_and_keeps_what_it_did(bench, folder, tmp_path):
    def copy(names, step, context):
        if (names, step) == ("b", 2):  # what a kill at this moment leaves; nobody holds the locks of the copy
            shutil.copytree(bench.runs, tmp_path / "killed")

    bench.world.on_train = copy
    bench.run()
    status = Run(tmp_path / "killed" / folder.name).status()
    assert (status.state, status.reason) == ("stopped", "its process was killed")
    assert status.nodes_in("running") == ()
    assert labels(status, "ready") == ["b"]
    assert status.counts["done"] == 5


def test_a_finished_run(bench):
    outcome = bench.run()
    status = Run(outcome.folder).status()
    assert (status.state, status.reason, status.time_left) == ("finished", "", None)
    assert status.counts == {"running": 0, "done": outcome.nodes, "ready": 0, "waiting": 0, "failed": 0, "skipped": 0}


def test_an_interrupted_run_names_the_reason(bench, folder):
    def stop(names, step, context):
        if names == "b":
            raise KeyboardInterrupt

    bench.world.on_train = stop
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    status = run_status(folder, bench.store)
    assert (status.state, status.reason) == ("stopped", "interrupted")


def test_failed_nodes_have_their_error_and_what_needs_them_is_skipped(bench, folder):
    def fail(names, step, context):
        if names == "b":
            raise RuntimeError("out of luck")

    bench.world.on_train = fail
    bench.run()
    status = run_status(folder, bench.store)
    assert status.state == "finished"
    assert labels(status, "failed") == ["b"]
    assert "out of luck" in named(status, "b").error
    assert set(labels(status, "skipped")) > {"a after b", "recover a (undo)", "count of back"}
    assert status.counts["waiting"] == status.counts["ready"] == 0
    bench.world.on_train = None
    bench.run()
    assert run_status(folder, bench.store).counts["failed"] == 0


def test_a_failed_score_of_the_base_skips_what_is_not_started_without_it(bench, folder, begun):
    key = bench.key("a after base")
    write_events(
        folder,
        (0, "run_started", {"nodes": 20, "done": 0}),
        (1, "step_started", {"key": key}),
        (2, "step_finished", {"key": key, "seconds": 1.0, "error": "no score"}),
    )
    status = run_status(folder, bench.store)
    assert labels(status, "failed") == ["a after base"]
    assert "a" in labels(status, "skipped")
    assert labels(status, "ready") == ["b after base"]


def test_nodes_that_run_at_once_with_their_workers(bench, folder, begun):
    first, second = bench.key("a after base"), bench.key("b after base")
    write_events(
        folder,
        (0, "run_started", {"nodes": 20, "done": 0, "slots": 2}),
        (1, "step_started", {"key": first, "worker": "worker 1"}),
        (3, "step_started", {"key": second, "worker": "worker 2"}),
    )
    with bench.store.in_use(bench.plan.key):
        status = run_status(folder, bench.store, now=START + timedelta(seconds=10))
    assert (status.state, status.slots, status.slots_in_use) == ("running", 2, 2)
    assert [(node.worker, node.seconds) for node in status.nodes_in("running")] == [("worker 1", 9), ("worker 2", 7)]
    assert status.started == START


def test_reported_progress_is_shown_while_a_node_runs(bench, folder, begun):
    node = bench.plan.nodes[bench.key("a")]
    events = NodeEvents(begun, bench.plan, bench.registry, bench.store, bench.reporter)
    with bench.store.in_use(bench.plan.key):
        begun.append("run_started", nodes=20, done=0)
        events.started(node)
        events.progress(node, 2, 3, {"reward": 0.25})
        shown = named(run_status(folder, bench.store), "a")
        assert (shown.step, shown.steps, shown.metrics) == (2, 3, {"reward": 0.25})
        with bench.store.writing(node.key) as made:
            (made / "result.json").write_text('{"report": {}}')
        events.finished(node, 1.0, None)
    assert not (folder / "progress.json").exists()


def test_progress_that_cannot_be_written_stops_nothing(bench, folder, begun):
    events = NodeEvents(begun, bench.plan, bench.registry, bench.store, bench.reporter)
    (folder / "progress.json").mkdir()
    events.progress(bench.plan.nodes[bench.key("a")], 1, 3, {})
    assert [path.name for path in folder.iterdir() if ".tmp" in path.name] == []


def test_the_time_left_follows_from_durations_and_speed(bench, folder, begun):
    base = [bench.key(f"{name} after base") for name in "ab"]
    events = [(0, "run_started", {"nodes": 20, "done": 0, "slots": 2})]
    for key in base:
        with bench.store.writing(key) as made:
            (made / "rows.json").write_text("[]")
        events += [(0, "step_started", {"key": key}), (4, "step_finished", {"key": key, "seconds": 4.0, "error": ""})]
    training = bench.key("a")
    scratch = bench.store.scratch(training)
    (scratch / "metrics.jsonl").write_text('{"step": 1, "reward": 0.5}\n{"step": 2, "rew')
    write_events(folder, *events, (4, "step_started", {"key": training}))
    (folder / "progress.json").write_text(json.dumps({training: {"step": 1, "steps": 3, "metrics": {}}}))
    with bench.store.in_use(bench.plan.key):
        status = run_status(folder, bench.store, now=START + timedelta(seconds=14))
    assert named(status, "a").metrics == {"reward": 0.5}
    left = status.time_left
    # 10 s for a third of the training `a`: 20 s are left of it, and `b` takes 30 s; then a score, of 4 s
    assert left.critical_seconds == pytest.approx(20 + 30 + 4)
    assert left.critical_path[:2] == (training, bench.key("b"))
    assert left.unmeasured == {"recover": 2, "probe": 3}
    # after `b`: its two scores on two slots, then those of the recoveries, which count as 0 s: 4 more
    assert left.seconds == pytest.approx(20 + 30 + 3 * 4)


def test_a_run_that_was_begun_and_never_started(bench, folder, begun):
    status = run_status(folder, bench.store)
    assert (status.state, status.reason, status.started) == ("stopped", "it has not started", None)
    assert status.time_left is None


def test_the_second_of_two_runners_goes_on_after_the_first_has_ended(bench):
    log = RunLog.of(
        [
            {"time": START.isoformat(), "event": "run_started"},
            {"time": START.isoformat(), "event": "run_finished", "stopped": ""},
            {"time": START.isoformat(), "event": "step_started", "key": bench.key("a")},
            {"time": START.isoformat(), "event": "unknown to this version"},
        ]
    )
    assert not log.ended
    assert list(log.running) == [bench.key("a")]


def test_the_status_as_json_and_without_writing(bench, folder):
    bench.run()
    shutil.rmtree(bench.runs / "store" / ".locks")
    status = run_status(folder, Store(bench.runs / "store"))
    data = json.loads(json.dumps(status.to_json()))
    assert data["counts"]["done"] == len(data["nodes"])
    assert data["nodes"][0]["state"] == "done"
    assert not (bench.runs / "store" / ".locks").exists()


def test_the_last_complete_line_counts(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert last_metrics(path).step is None
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0, "note": "x"}\n{"st')
    assert (last_metrics(path).step, last_metrics(path).metrics) == (2, {"loss": 1.0})
