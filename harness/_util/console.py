"""The terminal that commands print to."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness._util.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_OF_PLAIN_OUTPUT = 200
PLAIN = {"−": "-", "–": "-", "·": "|", "±": "+-", "→": "->", "≥": ">=", "≤": "<=", "×": "x", "…": "..."}
"""Replacements for characters that the encoding of the output lacks. Dropping a minus would change a number."""


def accept_any_text() -> None:
    """Makes standard output and error replace characters that their encoding lacks, instead of raising."""
    codecs.register_error("plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


def terminal() -> Console:
    """Returns a console for standard output, as wide as the terminal; 200 characters wide if it is not a terminal."""
    return safe_console(width=None if sys.stdout.isatty() else WIDTH_OF_PLAIN_OUTPUT)


def safe_console(**settings: Any) -> Console:
    """Returns a console that escapes control characters."""
    from rich.console import Console
    from rich.segment import Segment

    class SafeConsole(Console):
        def render(self, *args: Any, **options: Any) -> Iterator[Segment]:
            for segment in super().render(*args, **options):
                yield segment if segment.control else segment._replace(text=printable(segment.text))

    return SafeConsole(highlight=False, **settings)
