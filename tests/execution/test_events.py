import pytest
from runnable_world import Bench

from harness import StepProgress, hookimpl
from harness.execution.events import NodeEvents
from harness.execution.run_folder import RunFolder
from harness.plugin.interfaces import WAITING_FOR


class Listener:
    def __init__(self, error=None):
        self.heard, self.error = [], error

    @hookimpl
    def harness_step_progress(self, event):
        self.heard.append(event)
        if self.error is not None:
            raise self.error


@pytest.fixture
def world(tmp_path):
    def made(*observers):
        bench = Bench(tmp_path, plugins=observers)
        folder = RunFolder(bench.runs / bench.plan_folder)
        folder.begin(bench.protocol, bench.plan)
        node = bench.plan.nodes[bench.key("b")]
        return bench, node, NodeEvents(folder, bench.plan, bench.registry, bench.store, bench.reporter)

    return made


def test_observers_receive_the_metrics_of_each_step(world):
    listener = Listener()
    bench, node, events = world(listener)
    events.progress(node, 2, 3, {"reward": 0.5})
    expected = StepProgress(
        run=bench.runs / bench.plan_folder, key=node.key, kind="train", label="b", seed=0, step=2, total=3,
        metrics={"reward": 0.5},
    )  # fmt: skip
    assert listener.heard == [expected]


def test_waiting_for_a_slow_reward_is_no_step(world):
    listener = Listener()
    _, node, events = world(listener)
    events.progress(node, 2, 3, {f"{WAITING_FOR}judge": 40.0})
    assert listener.heard == []


def test_an_observer_that_raises_at_every_step_is_reported_once_and_still_told(world):
    deaf, listener = Listener(RuntimeError("deaf")), Listener()
    bench, node, events = world(deaf, listener)
    for step in (1, 2, 3):
        events.progress(node, step, 3, {})
    assert [event.step for event in deaf.heard] == [event.step for event in listener.heard] == [1, 2, 3]
    [note] = bench.reporter.notes
    assert "harness_step_progress: RuntimeError: deaf" in note
