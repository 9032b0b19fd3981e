"""Standard output and error: open, safe for a terminal, and with one message for whatever keeps them from being
written."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

from harness._util.console_log import discard
from harness._util.printable import printable
from harness.errors import ExitCode, HarnessError


class OutputLost(HarnessError):
    """Standard output cannot be written: what was computed is stored, what was to be printed is not printed."""

    exit_code = ExitCode.STEP_FAILED


class _Output(io.TextIOWrapper):
    """A standard stream that escapes control characters. Raises OutputLost where it cannot be written, and ends the
    process quietly where its reader has left. What cannot be written to standard error is dropped."""

    is_error = False
    fault: OSError | None = None

    def write(self, text: str) -> int:
        try:
            super().write(printable(text, styled=self.isatty() or "FORCE_COLOR" in os.environ))
        except OSError as error:
            self._lose(error)
        self.report()
        return len(text)

    def flush(self) -> None:
        """Reports nothing: it is called once more when the interpreter ends."""
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        self.fault = self.fault or error
        discard(self.fileno())  # what is buffered, which is written again at the end

    def report(self) -> None:
        """Raises where something could not be written."""
        if self.fault is None or self.is_error:
            return
        if isinstance(self.fault, BrokenPipeError):
            raise SystemExit(int(ExitCode.DONE)) from None  # the reader, such as `head`, has what it wanted
        raise OutputLost(
            f"standard output cannot be written: {self.fault.strerror}", hint="what was computed is stored"
        ) from self.fault


class _ErrorOutput(_Output):
    is_error = True


def open_streams() -> None:
    """Opens what is closed of the standard streams, so that no other file gets its number, and guards the output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            discard(descriptor)
    for name, kind in (("stdout", _Output), ("stderr", _ErrorOutput)):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(1 if name == "stdout" else 2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        if isinstance(stream, io.TextIOWrapper):
            settings = stream.encoding, stream.errors, stream.line_buffering, stream.write_through
            encoding, errors, line_buffering, write_through = settings
            guarded = kind(
                stream.detach(),
                encoding=encoding,
                errors=errors,
                line_buffering=line_buffering,
                write_through=write_through,
            )
            setattr(sys, name, guarded)


def finish_output() -> None:
    """Writes what is buffered. Raises OutputLost where standard output cannot be written."""
    with suppress(ValueError):  # closed by someone
        sys.stdout.flush()
    if isinstance(sys.stdout, _Output):
        sys.stdout.report()
