"""Bars, sparklines and intervals of text, only for terminals that can show them; plain output has the numbers alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.measure import Measurement

    from harness.results.estimates import Estimate

BLOCKS = "▁▂▃▄▅▆▇█"
PARTS = " ▏▎▍▌▋▊▉"
GROUP_STYLES = ("bold green", "cyan", "yellow", "magenta", "blue")
"""The colours of rank groups, from the best on; further groups have the last one."""


def draws(console: Console) -> bool:
    """Returns whether the console is a terminal whose encoding has the signs."""
    return console.is_terminal and not console.is_dumb_terminal and console.encoding.lower().startswith("utf")


def group_style(group: int | None) -> str:
    """Returns the style of a rank group, counted from 1; empty without a group."""
    return "" if group is None else GROUP_STYLES[min(group, len(GROUP_STYLES)) - 1]


def sparkline(values: Sequence[float | None], low: float, high: float) -> str:
    """Returns one block per value, between `low` and `high`; a dot for a missing value."""
    span = high - low
    signs = []
    for value in values:
        share = 0.5 if span <= 0 else min(1.0, max(0.0, ((value or 0.0) - low) / span))
        signs.append("·" if value is None else BLOCKS[min(len(BLOCKS) - 1, int(share * len(BLOCKS)))])
    return "".join(signs)


def bar(value: float | None, most: float, width: int) -> str:
    """Returns a bar from 0, whose whole width is `most`. Empty for a missing or negative value."""
    if value is None or value <= 0 or most <= 0:
        return ""
    eighths = round(min(1.0, value / most) * width * 8)
    return ("█" * (eighths // 8) + PARTS[eighths % 8]).rstrip()


def interval_marks(estimate: Estimate, reach: float, width: int) -> str:
    """Returns a mean `●` and its interval `├─┤` around a zero line `│` in the middle. Both ends are `reach` from 0.

    Ends beyond are cut off and shown as arrows. width: an odd number. Empty without a mean.
    """
    if estimate.mean is None or reach <= 0:
        return ""

    def place(value: float) -> int:
        return round((max(-reach, min(reach, value)) + reach) / (2 * reach) * (width - 1))

    signs = [" "] * width
    if estimate.ci95 is not None:
        low, high = estimate.ci95
        for index in range(place(low), place(high) + 1):
            signs[index] = "─"
        signs[place(low)] = "├" if low >= -reach else "◂"
        signs[place(high)] = "┤" if high <= reach else "▸"
    signs[width // 2] = "│" if signs[width // 2] == " " else "┼"
    signs[place(estimate.mean)] = "●"
    return "".join(signs)


class OnTerminal:
    """Shows something on a terminal that can draw, and nothing elsewhere."""

    def __init__(self, shown: RenderableType) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if draws(console):
            yield self._shown

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        return Measurement.get(console, options, self._shown) if draws(console) else Measurement(0, 0)
