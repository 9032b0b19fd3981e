"""The terminal that commands print to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_OF_PLAIN_OUTPUT = 200


def terminal() -> Console:
    """Returns a console for standard output: as wide as the terminal, or wide enough for whole lines without one."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDTH_OF_PLAIN_OUTPUT, highlight=False)
