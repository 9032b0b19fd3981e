"""Writes TensorBoard event files without TensorFlow and torch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from harness import Curve, ObservedRun, Observer, Points
from harness_observers.tensorboard.config import TensorBoardConfig


class TensorBoard(Observer):
    """Each curve is a folder below `RUN/tensorboard`. A resumed curve gets a further file in its folder, which
    TensorBoard reads as one."""

    def __init__(self, config: TensorBoardConfig) -> None:
        self._writers: dict[str, Any] = {}
        self._folder = Path()

    def start(self, run: ObservedRun) -> None:
        self._folder = run.folder

    def log(self, curve: Curve, points: Points) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        writer = self._writers.get(curve.key)
        if writer is None:
            writer = self._writers[curve.key] = EventFileWriter(str(self._folder / curve.name.replace("/", "-")))
        for step, values in points:
            scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
            writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=scalars)))
        writer.flush()

    def finish(self, curve: Curve) -> None:
        self._writers.pop(curve.key).close()

    def close(self) -> None:
        while self._writers:
            self._writers.popitem()[1].close()
