"""Makes untrusted text from files, plugins and models safe for a terminal. It may contain escape sequences that move
the cursor, clear the screen or write to the clipboard."""

from __future__ import annotations

import re

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"(?!\r\n)[{_CONTROLS}{_DIRECTIONS}\u2028\u2029]")
_UNSAFE_BUT_STYLE = re.compile(rf"(?!\x1b\[[0-9;]*m){_UNSAFE.pattern}")


def printable(text: str, *, styled: bool = False) -> str:
    """Returns `text` with control and bidirectional formatting characters escaped, as in `\\x1b`.

    styled: keep colour sequences.
    """
    return (_UNSAFE_BUT_STYLE if styled else _UNSAFE).sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
