"""The curves of a run: the scores of each method by optimizer steps, within its trainings and after its steps."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from harness._util.untrusted_file import read_untrusted
from harness.errors import UsageError
from harness.results.estimates import Estimate
from harness.results.leaderboard import Record

FILE = "score_curves.json"


class ScorePoint(Record):
    """A scored model of a method.

    step: the step of the method, 0 for the base model. label: that of the step. optimizer_step: within the step; after
    a step without a training, 0. total_steps: since the base model. last: whether the step ends here. checkpoints: the
    keys of the model in the order of the seeds, or a single key if all seeds share it. scores: by column.
    """

    step: int
    label: str
    optimizer_step: int
    total_steps: int
    last: bool
    checkpoints: tuple[str, ...]
    scores: dict[str, Estimate]


class ScoreCurve(Record):
    """The points of a method, in order. seeds: those of `Estimate.per_seed`."""

    method: str
    seeds: tuple[int, ...]
    points: tuple[ScorePoint, ...]


class ScoreCurves(Record):
    """The curves of all methods of a run."""

    version: Literal[1] = 1
    protocol: str
    columns: tuple[str, ...]
    methods: tuple[ScoreCurve, ...]

    def to_json(self) -> str:
        """Returns the curves as JSON text with a final newline."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> ScoreCurves:
        """Reads a file written from `to_json`. Raises UsageError if it is missing or invalid."""
        try:
            return cls.model_validate_json(read_untrusted(path))
        except ValidationError as error:
            fault = error.errors()[0]
            raise UsageError(
                f"these curves cannot be read: {'.'.join(map(str, fault['loc']))}: {fault['msg']}", where=str(path)
            ) from error
