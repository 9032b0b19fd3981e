"""Writes a trackio project."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout

from harness import Curve, ObservedRun, Observer, Points
from harness_observers.trackio.config import TrackioConfig


class Trackio(Observer):
    """Each curve is a trackio run. It is opened for each call, because trackio keeps one run open, and because only
    `finish` writes what was logged."""

    def __init__(self, config: TrackioConfig) -> None:
        self._project = config.project or ""

    def start(self, run: ObservedRun) -> None:
        # trackio reads the variable when it is imported
        os.environ.setdefault("TRACKIO_DIR", str(run.folder))
        import trackio

        self._trackio = trackio
        self._project = self._project or run.name

    def log(self, curve: Curve, points: Points) -> None:
        with redirect_stdout(io.StringIO()):  # trackio announces every run
            run = self._trackio.init(
                project=self._project,
                name=curve.name,
                group=curve.kind,
                config={"seed": curve.seed, "kind": curve.kind, **curve.labels},
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )
            for step, values in points:
                run.log(dict(values), step=step)
            self._trackio.finish()

    def finish(self, curve: Curve) -> None:
        pass

    def close(self) -> None:
        pass
