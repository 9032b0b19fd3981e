"""User-facing errors: what was wrong, where, and what to do.

The command line catches them, prints `message`, `where` and `hint`, and exits with `exit_code`. Any other exception is
a bug in the harness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    STEP_FAILED = 1
    USAGE = 2
    PLUGIN = 3
    STOPPED = 4
    INTERRUPTED = 130


class HarnessError(Exception):
    """A user-facing error; `where` and `hint` may be empty."""

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
    """An invalid argument, a missing file or an output folder that is not writable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A problem of a protocol: its line (from 1; 0 if unknown), the path of the key, a message and a hint.

    In a problem yielded by a plugin there is no line, and the key is relative to the plugin's config.
    """

    line: int = 0
    key: str = ""
    message: str
    hint: str = ""


PROBLEMS_SHOWN = 20
LONGEST_PART = 1000


def shortened(text: str) -> str:
    """Returns the text with its middle elided if it is longer than LONGEST_PART."""
    half = LONGEST_PART // 2
    return text if len(text) <= LONGEST_PART else f"{text[:half]} … {text[-half:]}"


class ProtocolError(HarnessError):
    """All problems of a protocol, sorted by line."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.key)))
        lines = []
        for problem in self.problems[:PROBLEMS_SHOWN]:
            place = f"{source}:{problem.line}" if problem.line else source
            parts = [place, problem.key, problem.message] if problem.key else [place, problem.message]
            lines.append(": ".join(map(shortened, parts)))
            if problem.hint:
                lines.append(f"  → {shortened(problem.hint)}")
        more = len(self.problems) - PROBLEMS_SHOWN
        if more > 0:
            lines.append(f"and {more:,} more")
        super().__init__("\n".join(lines))


class PluginError(HarnessError):
    """A plugin is unknown or ambiguous, failed to load, or violated its contract."""

    exit_code = ExitCode.PLUGIN


class CheckpointError(HarnessError):
    """A model folder cannot be read: missing, truncated, or with other shapes than the other checkpoints."""

    def met_by(self, who: str) -> CheckpointError:
        """Returns the same error with the name of the plugin added to `where`."""
        where = f"{who}, {self.where}" if self.where else who
        return CheckpointError(self.message, where=where, hint=self.hint)


class StepFailed(HarnessError):
    """A step of a run failed. Earlier results are in the store."""

    exit_code = ExitCode.STEP_FAILED


def internal_error(error: Exception, *, where: str = "") -> StepFailed:
    """Returns the error of a step that a defect has stopped."""
    return StepFailed(
        f"internal error: {type(error).__name__}: {error}", where=where, hint="--debug shows the traceback"
    )


class WorkerLost(StepFailed):
    """The process or machine that computed a node is gone. The runner submits the node once more."""


class DiskFull(StepFailed):
    """The disk filled up during a write. Partial files are removed and earlier results are in the store."""


class RunStopped(HarnessError):
    """The run was stopped by SIGTERM. The same command resumes it."""

    exit_code = ExitCode.STOPPED
