"""An observer that keeps what it receives in a file, which outlives its process."""

import json

from harness import Config, Observer, ObserverSpec, hookimpl


class RecordingConfig(Config):
    fails_at: int | None = None
    live: bool = True


class Recording(Observer):
    """Writes a line per point: the name of the curve, the step and the values. fails_at: the step that it refuses."""

    def __init__(self, config):
        self._config = config
        self.live = config.live

    def start(self, run):
        self._file = run.folder / "points.jsonl"
        self._write("start", run.name, run.protocol)

    def log(self, curve, points):
        for step, values in points:
            if step == self._config.fails_at:
                raise RuntimeError("no room")
            self._write(curve.name, step, dict(values))

    def finish(self, curve):
        self._write("finish", curve.name)

    def close(self):
        self._write("close")

    def _write(self, *entry):
        with self._file.open("a") as file:
            file.write(json.dumps(entry) + "\n")


class Plugin:
    @hookimpl
    def harness_observers(self):
        yield ObserverSpec(name="recording", summary="Keeps points", load=Recording, config=RecordingConfig)


def points_of(folder):
    """Returns {curve: [(step, values)]} of the points that were recorded in a run's folder."""
    found = {}
    for entry in entries_of(folder):
        if len(entry) == 3 and entry[0] != "start":
            found.setdefault(entry[0], []).append((entry[1], entry[2]))
    return found


def entries_of(folder):
    return [json.loads(line) for line in (folder / "recording" / "points.jsonl").read_text().splitlines()]
