"""Observers receive every point of a run's curves once, whenever they are switched on, stopped or failing."""

import json

import pytest
from recording_observer import Recording, RecordingConfig, entries_of, points_of
from runnable_world import Bench

from harness.execution.observing.following import Following, observer_lock
from harness.execution.observing.journal import Journal

STEPS = [(1, {"reward": 0.1}), (2, {"reward": 0.2}), (3, {"reward": 0.3})]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def following(bench, notes=None, **config):
    folder = bench.runs / bench.plan_folder
    build = {"recording": lambda: Recording(RecordingConfig(**config))}
    return Following(folder, bench.store, bench.plan, build, (notes if notes is not None else []).append)


def observe(bench, *, times=1, notes=None, **config):
    follows = following(bench, notes, **config)
    for _ in range(times):
        follows.update()
    follows.close()
    return bench.runs / bench.plan_folder


def test_an_observer_receives_all_curves_of_a_finished_run_once(bench):
    bench.run()
    folder = observe(bench, times=3)
    points = points_of(folder)
    assert points["train a (seed 0)"] == points["recover a (repeat) (seed 0)"] == STEPS
    assert points["scores of sequential (seed 0)"] == [
        (0, {"a": 1.0, "b": 1.0}), (1, {"a": 4.0, "b": 4.0}), (2, {"a": 7.0, "b": 7.0})
    ]  # fmt: skip
    assert len(points["scores of again (seed 0)"]) == len(points["scores of back (seed 0)"]) == 4
    assert "recover a (undo) (seed 0)" not in points  # it trains nothing
    entries = entries_of(folder)
    assert entries[0] == ["start", folder.name, "small"]
    assert sorted(entry[1] for entry in entries if entry[0] == "finish") == sorted(points)
    assert entries[-1] == ["close"]


def test_a_second_time_nothing_is_passed_on_again(bench):
    bench.run()
    first = points_of(observe(bench))
    assert points_of(observe(bench)) == first


def test_points_arrive_while_a_training_runs_and_once_after_a_stop_in_the_middle(bench):
    seen = []

    def look(names, step, context):
        if (names, step) == ("b", 3):
            seen.append(points_of(observe(bench)).get("train b (seed 0)"))
            raise KeyboardInterrupt

    bench.world.on_train = look
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    assert seen == [STEPS[:2]]
    bench.world.on_train = None
    scratch = bench.store.scratch(bench.key("b"))
    (scratch / "done").write_text("1")  # the last saved state is that of step 1: step 2 is computed again
    bench.run()
    assert points_of(observe(bench))["train b (seed 0)"] == STEPS


def test_steps_that_are_computed_again_are_not_doubled(bench):
    metrics = bench.store.scratch(bench.key("a")) / "metrics.jsonl"
    lines = [json.dumps({"step": step, "reward": step / 10}) for step in (1, 2, 2, 3)]
    (bench.runs / bench.plan_folder).mkdir()
    metrics.write_text("\n".join([*lines[:3], lines[3][:5]]))  # a line is being written
    follows = following(bench)
    follows.update()
    metrics.write_text("\n".join([*lines, ""]))
    follows.update()
    follows.close()
    assert points_of(bench.runs / bench.plan_folder) == {"train a (seed 0)": STEPS}


def test_an_observer_that_fails_is_reported_once_and_continues_later(bench):
    bench.run()
    notes = []
    folder = observe(bench, times=3, notes=notes, fails_at=2)
    assert notes == ["the observer recording failed and receives nothing more: RuntimeError: no room"]
    assert entries_of(folder)[-1] == ["close"]
    (folder / "recording" / "points.jsonl").unlink()
    assert "scores of again (seed 0)" in points_of(observe(bench))
    assert points_of(folder)["train b (seed 0)"] == STEPS


def test_an_observer_that_is_not_live_receives_whole_curves_and_the_rest_at_the_end(bench):
    metrics = bench.store.scratch(bench.key("a")) / "metrics.jsonl"
    metrics.write_text(json.dumps({"step": 1, "reward": 0.1}) + "\n")
    folder = bench.runs / bench.plan_folder
    folder.mkdir()
    follows = following(bench, live=False)
    follows.update()
    assert points_of(folder) == {}
    follows.close()
    assert points_of(folder) == {"train a (seed 0)": STEPS[:1]}
    bench.run()
    assert points_of(observe(bench, live=False))["train a (seed 0)"] == STEPS


def test_an_observer_that_cannot_be_built_is_reported(bench):
    bench.run()
    notes = []
    observe(bench, notes=notes, fails_at="never")
    assert len(notes) == 1
    assert "the observer recording failed" in notes[0]


def test_two_processes_do_not_observe_a_run_at_once(bench):
    bench.run()
    notes = []
    with bench.store.locks.alone(observer_lock(bench.plan, "recording")):
        observe(bench, notes=notes)
    assert notes == ["the observer recording is already used by another process for this run"]
    assert points_of(observe(bench)) != {}


def test_trainings_of_one_title_have_curves_of_their_own(tmp_path):
    text = """\
schema: 1
name: small
model: {use: counts, folder: FOLDER}
domains: {a: {use: game}, b: {use: game, level: 2}}
train: {with: add, steps: 3}
methods:
  forward: [a, b]
  backward: [b, a]
"""
    bench = Bench(tmp_path, text)
    bench.run()
    names = {name for name in points_of(observe(bench)) if name.startswith("train a")}
    trainings = [node.key for node in bench.plan.steps if node.label == "a"]
    assert names == {f"train a (seed 0) {key[:8]}" for key in trainings}


def test_a_journal_survives_a_line_that_was_cut_off(tmp_path):
    Journal(tmp_path).add({"a": 3, "b": 1})
    path = tmp_path / "received.jsonl"
    path.write_bytes(path.read_bytes() + b'\n{"source": "a", "st')
    again = Journal(tmp_path)
    again.add({"b": 2})
    final = Journal(tmp_path)
    assert (final.last("a"), final.last("b"), final.last("c")) == (3, 2, None)
