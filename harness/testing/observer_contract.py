"""The contract check of observers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.plugin.observer_interface import Curve, ObservedRun, Observer
from harness.testing.requirement import require


def check_observer(observer: Observer, folder: Path) -> None:
    """Lets an observer receive two curves of a run, with its own files in `folder`, which is empty or missing.

    One is a training that is finished, the other the scores of a method that was stopped: two domains of one step are
    scored at different times. Raises PluginError if a method raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    training = Curve(key="0" * 16, name="train code (seed 0)", kind="train", seed=0, labels={"label": "code"})
    scores = Curve(key="1" * 16, name="scores of mine (seed 0)", kind="scores", seed=0, labels={"method": "mine"})
    calls: list[Callable[[], None]] = [
        lambda: observer.start(ObservedRun(name="demo-0123456789ab", protocol="demo", folder=folder)),
        lambda: observer.log(scores, [(0, {"code": 0.25, "math": 0.5})]),
        lambda: observer.log(training, [(1, {"reward": 0.0, "loss": 0.5}), (2, {"reward": 0.5, "loss": float("nan")})]),
        lambda: observer.log(scores, [(1, {"math": 0.75})]),
        lambda: observer.log(training, [(3, {"reward": 1.0})]),
        lambda: observer.finish(training),
        lambda: observer.log(scores, [(1, {"code": 0.5})]),
        observer.close,
    ]
    for call in calls:
        try:
            call()
        except Exception as error:
            require(False, f"the observer raised {type(error).__name__}: {error}", "see harness.Observer")
