"""The step reports stored with a kept leaderboard, limited to what figures draw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harness.errors import UsageError
from harness.report.figures.conflicts import REPORT_KEY
from harness.report.record import StepReport

FILE = "steps.json"
_STEPS = TypeAdapter(tuple[StepReport, ...])


def steps_to_json(steps: Sequence[StepReport]) -> str:
    """Returns the reports that a figure draws as JSON with a final newline, empty if there are none."""
    drawn = [replace(one, report={REPORT_KEY: one.report[REPORT_KEY]}) for one in steps if REPORT_KEY in one.report]
    return json.dumps([asdict(one) for one in drawn], indent=1) + "\n" if drawn else ""


def read_steps(path: Path) -> tuple[StepReport, ...]:
    """Returns the reports in a file written from `steps_to_json`. Raises UsageError if it cannot be read."""
    try:
        return _STEPS.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(
            "these step reports cannot be read", where=str(path), hint="add the run again: harness leaderboard add"
        ) from error
