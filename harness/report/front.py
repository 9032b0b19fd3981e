"""The Pareto front of points: those that no other one surpasses at the same or a lower cost."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.plots.model import Mark, Series

NAME = "front"


def front_of(points: Sequence[tuple[float, float]]) -> list[int]:
    """Returns the places of the points (cost, gain) on the front, cheapest first. Of equal points, the first counts."""
    found: list[int] = []
    for place in sorted(range(len(points)), key=lambda place: (points[place][0], -points[place][1])):
        if not found or points[place][1] > points[found[-1]][1]:
            found.append(place)
    return found


def front_line(marks: Sequence[Mark]) -> Series:
    """Returns the line through marks on the front, without symbols of its own."""
    return Series(name=NAME, look=None, marks=tuple(Mark(x=mark.x, y=mark.y, drawn=False) for mark in marks))
