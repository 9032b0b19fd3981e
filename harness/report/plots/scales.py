"""Axes that fit their values: the range, round ticks, and their labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from harness.report.plots.model import Axis

MARGIN = 0.06
"""The empty part of the range on each side."""
BESIDE = 0.8
"""Between points that `side_by_side` moves apart, in percent of the axis."""


def linear_axis(
    title: str, values: Iterable[float | None], *, include: Sequence[float] = (), flush: bool = False, count: int = 4
) -> Axis:
    """Returns an axis that contains all `values` and `include`, with about `count` ticks at round numbers. flush: a
    range that begins at 0 has no margin below it."""
    known = [value for value in (*values, *include) if value is not None and math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if low == high:
        low, high = low - max(abs(low) * 0.1, 0.5), high + max(abs(high) * 0.1, 0.5)
    margin = MARGIN * (high - low)
    low, high = (low if low == 0 and flush else low - margin), high + margin
    step = _round_step((high - low) / count)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    ticks = [step * place for place in range(first, last + 1)]
    return Axis(title=title, low=low, high=high, ticks=tuple((tick, tick_label(tick, step)) for tick in ticks))


def log_axis(title: str, values: Iterable[float]) -> Axis:
    """Returns a logarithmic axis that contains all positive `values`, with ticks at the powers of ten, or at 1, 2 and 5
    times them if there would be fewer than two."""
    known = [value for value in values if value > 0 and math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.1, 1.0)
    low, high = low / 1.15, high * 1.15
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) > 1:
            break
    return Axis(title=title, low=low, high=high, ticks=tuple((tick, _short(tick)) for tick in ticks[:8]), scale="log")


def count_axis(title: str, values: Iterable[float]) -> Axis:
    """Returns an axis that contains all `values`, which are at least 0: linear if the largest is less than ten times
    the smallest, logarithmic if it is more, and otherwise, if some are 0, logarithmic above the smallest other one."""
    known = sorted(value for value in values if math.isfinite(value))
    positive = [value for value in known if value > 0]
    if not positive or positive[-1] < 10 * known[0]:
        return linear_axis(title, known)
    if known[0] > 0:
        return log_axis(title, known)
    lowest = math.floor(math.log10(positive[0]))
    constant = 10.0**lowest
    margin = MARGIN * math.log1p(positive[-1] / constant)
    high = constant * math.expm1(math.log1p(positive[-1] / constant) + margin)
    powers = range(lowest, math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        ticks = [0.0, *(factor * 10.0**power for power in powers for factor in factors)]
        ticks = [tick for tick in ticks if tick <= high]
        if len(ticks) > 2:
            break
    return Axis(
        title=title,
        low=-constant * math.expm1(margin),
        high=high,
        ticks=tuple((tick, _short(tick)) for tick in ticks),
        scale="symlog",
        constant=constant,
    )


def named_axis(title: str, names: Sequence[str], *, low: float) -> Axis:
    """Returns an axis of equal parts of length 1, each with a name, which begins at `low`."""
    return Axis(title=title, low=low, high=low + max(len(names), 1), names=tuple(names))


def side_by_side(axis: Axis, values: Sequence[float]) -> list[float]:
    """Returns where points of these values are drawn on the axis: those of the same value side by side, around it."""
    places = []
    for index, value in enumerate(values):
        offset = BESIDE * (values[:index].count(value) - (values.count(value) - 1) / 2)
        places.append(axis.at(axis.place(value) + offset) if offset else value)
    return places


def tick_label(value: float, step: float) -> str:
    """Returns the label of a tick, with the decimals that tell it from the next: `0.25`, `−10`, `12k`."""
    if value and abs(value) >= 1e4:
        for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= size:
                return f"{value / size:.{_decimals(step / size)}f}{letter}".replace("-", "−")
    if step < 1e-4:
        return f"{value:.0e}".replace("-", "−") if abs(value) > step / 2 else "0"
    text = f"{value:.{_decimals(step)}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def _decimals(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)


def _short(value: float) -> str:
    return (
        f"{value:g}"
        if value == 0 or 1e-4 <= value < 1e4
        else tick_label(value, value)
        if value >= 1e4
        else f"{value:.0e}"
    )
