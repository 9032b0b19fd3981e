"""Makes standard output and error safe: always open, with control characters escaped, and with one error message if
they cannot be written."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

from harness._util.console_log import discard
from harness._util.printable import printable
from harness.errors import ExitCode, HarnessError


class OutputLost(HarnessError):
    """Standard output cannot be written. Computed results are stored, but output is lost."""

    exit_code = ExitCode.STEP_FAILED


class _Output(io.TextIOWrapper):
    """A standard stream that escapes control characters. Raises OutputLost if it cannot be written, and exits silently
    on a broken pipe. Failed writes to standard error are dropped."""

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
        """Does not report errors: it is called again at interpreter exit."""
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        self.fault = self.fault or error
        discard(self.fileno())  # drop the buffer, which is written again at exit

    def report(self) -> None:
        """Raises OutputLost if a write has failed."""
        if self.fault is None or self.is_error:
            return
        if isinstance(self.fault, BrokenPipeError):
            raise SystemExit(int(ExitCode.DONE)) from None  # the reader, such as `head`, is done
        raise OutputLost(
            f"standard output cannot be written: {self.fault.strerror}", hint="what was computed is stored"
        ) from self.fault


class _ErrorOutput(_Output):
    is_error = True


def open_streams() -> None:
    """Opens closed standard streams, so that no other file gets their descriptors, and wraps output and error."""
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
    """Flushes standard output. Raises OutputLost if it cannot be written."""
    with suppress(ValueError):  # already closed
        sys.stdout.flush()
    if isinstance(sys.stdout, _Output):
        sys.stdout.report()
