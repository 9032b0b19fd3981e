"""The curves of a run as comma-separated values: curve, step, name, value."""

import csv

from pydantic import Field

from harness import Config, Curve, ObservedRun, Observer, Points


class TableConfig(Config):
    """What to write."""

    only: str | None = Field(None, description="The kind of curves to write: train, recover or scores; null: all.")


class Table(Observer):
    """Appends to `curves.csv`. Points that were written before a stop are not passed again."""

    def __init__(self, config: TableConfig) -> None:
        self.config = config

    def start(self, run: ObservedRun) -> None:
        self.file = (run.folder / "curves.csv").open("a", newline="")

    def log(self, curve: Curve, points: Points) -> None:
        if self.config.only in (None, curve.kind):
            rows = csv.writer(self.file)
            for step, values in points:
                rows.writerows([curve.name, step, name, value] for name, value in values.items())
            self.file.flush()

    def finish(self, curve: Curve) -> None:
        """There is nothing to do: all curves are in one file."""

    def close(self) -> None:
        self.file.close()
