"""The contract of the observer hooks: called once per event, isolated, and unable to change it."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import CheckpointScored, RunFinished, RunStarted, StepFinished, StepProgress, StepStarted, hookimpl
from harness.plugin.hookspecs import ObserverHooks
from harness.plugin.registry import Registry

STEP = {"run": Path("runs/x"), "key": "0" * 64, "kind": "train", "label": "math", "seed": 0}
EVENTS = {
    "harness_run_started": RunStarted(protocol="lab", run=Path("runs/x"), nodes=3, done=1),
    "harness_run_finished": RunFinished(protocol="lab", run=Path("runs/x"), executed=2, failed=0),
    "harness_step_started": StepStarted(**STEP),
    "harness_step_progress": StepProgress(**STEP, step=3, total=8, metrics={"reward": 0.5}),
    "harness_step_finished": StepFinished(**STEP, seconds=1.5),
    "harness_checkpoint_scored": CheckpointScored(
        run=Path("runs/x"), key="0" * 64, checkpoint="math", domain="qa", scores={"qa/accuracy": 0.5}
    ),
}


def test_every_observer_hook_has_its_event_here():
    assert set(EVENTS) == {name for name in vars(ObserverHooks) if name.startswith("harness_")}


@pytest.mark.parametrize("hook", EVENTS)
def test_observers_are_told_once_and_a_faulty_one_is_reported(hook):
    told = []

    @hookimpl(specname=hook)
    def listens(event):
        told.append(event)

    @hookimpl(specname=hook)
    def fails(event):
        raise RuntimeError("deaf")

    @hookimpl(specname=hook)
    def exits(event):
        raise SystemExit(1)

    plugins = [SimpleNamespace(fails=fails), SimpleNamespace(exits=exits), SimpleNamespace(listens=listens)]
    registry = Registry.of([(f"plugin-{index}", plugin) for index, plugin in enumerate(plugins)])
    errors = registry.notify(hook, EVENTS[hook])
    assert told == [EVENTS[hook]]
    assert list(errors.values()) == ["RuntimeError: deaf", "SystemExit: 1"]
    assert next(iter(errors)).startswith("plugin-0")


@pytest.mark.parametrize("hook", EVENTS)
def test_an_observer_may_ask_for_nothing_and_cannot_change_the_event(hook):
    told = []

    @hookimpl(specname=hook)
    def brief():
        told.append(hook)

    assert Registry.of([("small", SimpleNamespace(brief=brief))]).notify(hook, EVENTS[hook]) == {}
    assert told == [hook]
    with pytest.raises(FrozenInstanceError):
        setattr(EVENTS[hook], fields(EVENTS[hook])[0].name, "other")
