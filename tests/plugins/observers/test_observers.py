"""The shipped observers: a run observed by their process, read by the readers of their tools."""

import json
import os
import subprocess
import sys

import pytest
from runnable_world import Bench
from wandb_records import history

from harness import UsageError
from harness.execution.observing import child
from harness.execution.observing.child import observing
from harness.execution.observing.chosen import chosen_observers
from harness.plugin.registry import Registry

STEPS = [(1, 0.1), (2, 0.2), (3, 0.3)]
CURVES = {
    *("train a (seed 0)", "train b (seed 0)", "recover a (repeat) (seed 0)"),
    *(f"scores of {method} (seed 0)" for method in ("sequential", "again", "back")),
}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(child, "PATIENCE_AFTER_STOP", child.PATIENCE)  # a busy machine is slow, not wrong
    return Bench(tmp_path)


@pytest.fixture
def folder(bench):
    return bench.runs / bench.plan_folder


def observed_run(bench, name, **config):
    notes = []
    with observing({name: config}, bench.runs / bench.plan_folder, bench.store.root, notes.append):
        bench.run()
    assert notes == []


def stop_in_the_middle(bench, name):
    """Stops a training after two steps, whose second one is computed again in the next run."""

    def stop(names, step, context):
        if (names, step) == ("b", 3):
            (context.scratch / "done").write_text("1")
            raise KeyboardInterrupt

    bench.world.on_train = stop
    with pytest.raises(KeyboardInterrupt):
        observed_run(bench, name)
    bench.world.on_train = None


def scalars(folder, tag):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder))
    read.Reload()
    return [(event.step, pytest.approx(event.value)) for event in read.Scalars(tag)]


def test_tensorboard_reads_every_point_once_after_a_stop(bench, folder):
    pytest.importorskip("tensorboard")
    stop_in_the_middle(bench, "tensorboard")
    assert scalars(folder / "tensorboard" / "train b (seed 0)", "reward") == STEPS[:2]
    observed_run(bench, "tensorboard")
    assert {path.name for path in (folder / "tensorboard").iterdir() if path.is_dir()} == CURVES
    assert scalars(folder / "tensorboard" / "train b (seed 0)", "reward") == STEPS
    assert scalars(folder / "tensorboard" / "scores of back (seed 0)", "a") == [(0, 1), (1, 4), (2, 7), (3, 4)]


def trackio_values(folder, run, metric):
    project = folder.name
    command = [sys.executable, "-m", "trackio.cli", "get", "metric", "--project", project, "--run", run]
    environment = {**os.environ, "TRACKIO_DIR": str(folder / "trackio")}
    told = subprocess.run(
        [*command, "--metric", metric, "--json"], env=environment, capture_output=True, text=True, check=True
    )
    return [(value["step"], value["value"]) for value in json.loads(told.stdout)["values"]]


def test_trackio_reads_every_point_once_after_a_stop(bench, folder):
    pytest.importorskip("trackio")
    stop_in_the_middle(bench, "trackio")
    observed_run(bench, "trackio")
    assert trackio_values(folder, "train b (seed 0)", "reward") == STEPS
    assert trackio_values(folder, "scores of back (seed 0)", "a") == [(0, 1), (1, 4), (2, 7), (3, 4)]


def test_wandb_writes_every_point_once_offline(bench, folder):
    pytest.importorskip("wandb")
    stop_in_the_middle(bench, "wandb")
    observed_run(bench, "wandb")
    rows = {}
    for path in sorted((folder / "wandb").glob("offline-run-*/*.wandb")):
        group, name, logged = history(path)
        assert group == folder.name
        rows.setdefault(name, []).extend(logged)
    assert set(rows) == CURVES
    assert [(row["step"], row["reward"]) for row in rows["train b (seed 0)"]] == STEPS
    assert rows["scores of back (seed 0)"][-1] == {"step": 3, "a": 4.0, "b": 4.0}
    ids = {path.name.partition("-")[2] for path in (folder / "wandb").glob("offline-run-*/run-*.wandb")}
    assert len(ids) == len(CURVES)  # a resumed curve has the id of the first one, so `wandb sync` joins them


def test_an_observer_writes_nothing_outside_of_the_run_folder(bench, folder, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    pytest.importorskip("trackio")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    with observing({"wandb": {}, "trackio": {}}, folder, bench.store.root, lambda note: None):
        bench.run()
    assert {path.name for path in tmp_path.iterdir()} - before <= {"base", "runs", "home"}
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


def test_observing_changes_no_key_and_makes_nothing_again(bench, folder):
    pytest.importorskip("tensorboard")
    bench.run()
    computed = bench.world.trained[:]
    observed_run(bench, "tensorboard")
    assert bench.world.trained == computed
    assert bench.reporter.notes[-1].startswith("nothing to make")
    assert scalars(folder / "tensorboard" / "train a (seed 0)", "reward") == STEPS


def test_a_run_that_is_refused_leaves_no_files(bench, folder):
    with pytest.raises(UsageError), observing({"tensorboard": {}}, folder, bench.store.root, lambda note: None):
        raise UsageError("refused")
    assert not folder.exists()


def test_an_observer_that_cannot_be_built_is_reported_and_the_run_goes_on(bench, folder):
    notes = []
    with observing({"steam": {}}, folder, bench.store.root, notes.append):
        outcome = bench.run()
    assert outcome.failures == ()
    [note] = notes
    assert note.startswith("warning: the observer steam failed and receives nothing more: PluginError")


def test_a_process_that_dies_or_hangs_is_reported_and_the_run_goes_on(bench, folder, monkeypatch):
    notes = []
    monkeypatch.setattr(child, "COMMAND", [sys.executable, "-c", "raise SystemExit(3)"])
    with observing({"tensorboard": {}}, folder, bench.store.root, notes.append):
        bench.run()
    assert notes == ["warning: the process of the observers ended with code 3"]
    monkeypatch.setattr(child, "COMMAND", [sys.executable, "-c", "import signal; signal.pause()"])
    monkeypatch.setattr(child, "PATIENCE", 0.1)
    with observing({"tensorboard": {}}, folder, bench.store.root, notes.append):
        pass
    assert notes[1].startswith("warning: the observers did not end in time")


def test_observers_are_chosen_by_protocol_command_and_environment():
    registry = Registry.discover(only=["mdrl-harness"])
    assert chosen_observers((), [], registry, {}) == {}
    pytest.importorskip("tensorboard")
    pytest.importorskip("trackio")
    chosen = chosen_observers((), ["tensorboard"], registry, {"HARNESS_OBSERVERS": "trackio, tensorboard"})
    assert chosen == {"tensorboard": {}, "trackio": {"project": None}}


def test_a_missing_package_is_named_before_the_run(monkeypatch):
    monkeypatch.setattr("harness.plugin.config.find_spec", lambda name: None)
    registry = Registry.discover(only=["mdrl-harness"])
    with pytest.raises(UsageError, match="the observer wandb needs the package wandb, which is not installed") as told:
        chosen_observers((), ["wandb"], registry, {})
    assert "mdrl-harness[wandb]" in told.value.hint
