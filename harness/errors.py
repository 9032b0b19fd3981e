"""Errors that are told to a person: what was wrong, where, and what to do.

Raised where the fault is known, caught once, in the command line, which prints `message`, `where` and `hint` and exits
with `exit_code`. Anything that is not a `HarnessError` is a defect of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller."""

    DONE = 0
    STEP_FAILED = 1
    USAGE = 2
    PLUGIN = 3
    STOPPED = 4
    INTERRUPTED = 130


class HarnessError(Exception):
    """An error with a message for a person; `where` and `hint` may be empty."""

    exit_code: ExitCode = ExitCode.USAGE

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.message}" if self.where else self.message]
        if self.hint:
            parts.append(f"  → {self.hint}")
        return "\n".join(parts)


class UsageError(HarnessError):
    """A wrong argument, a missing file, an output folder that cannot be written to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One fault of a protocol: its line (from 1; 0 for none), the path of the key, what is wrong, what to do.

    A plugin that yields one gives no line, and the key as seen from its own config.
    """

    line: int = 0
    key: str = ""
    message: str
    hint: str = ""


PROBLEMS_SHOWN = 20
LONGEST_PART = 1000


def shortened(text: str) -> str:
    """Returns a part of a message, without its middle where it is very long."""
    half = LONGEST_PART // 2
    return text if len(text) <= LONGEST_PART else f"{text[:half]} … {text[-half:]}"


class ProtocolError(HarnessError):
    """All that is wrong with a protocol, at once; `problems` in the order of their lines."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.key)))
        lines = []
        for problem in self.problems[:PROBLEMS_SHOWN]:
            place = f"{source}:{problem.line}" if problem.line else source
            told = [place, problem.key, problem.message] if problem.key else [place, problem.message]
            lines.append(": ".join(map(shortened, told)))
            if problem.hint:
                lines.append(f"  → {shortened(problem.hint)}")
        more = len(self.problems) - PROBLEMS_SHOWN
        if more > 0:
            lines.append(f"and {more:,} more")
        super().__init__("\n".join(lines))


class PluginError(HarnessError):
    """A plugin that is unknown, ambiguous, failed to load, or broke its contract."""

    exit_code = ExitCode.PLUGIN


class CheckpointError(HarnessError):
    """A model folder that cannot be read: missing, truncated, or of another shape than its neighbours."""

    def met_by(self, who: str) -> CheckpointError:
        """Returns the same error with the plugin that met it before the place."""
        where = f"{who}, {self.where}" if self.where else who
        return CheckpointError(self.message, where=where, hint=self.hint)


class StepFailed(HarnessError):
    """A step of a run failed; what was computed before it is in the store."""

    exit_code = ExitCode.STEP_FAILED


class DiskFull(StepFailed):
    """The disk filled up in the middle of a write: nothing half-written is left, what was done before is kept."""


class RunStopped(HarnessError):
    """The run was asked to stop (SIGTERM) and can be resumed by the same command."""

    exit_code = ExitCode.STOPPED
