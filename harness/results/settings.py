"""The settings in which two runs differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness.results.leaderboard import Record

NOT_SET = "–"
Flat = Mapping[str, str]
"""The values of nested data as text, by their path."""


class SettingDifference(Record):
    """A setting with different values in two runs.

    source: `protocol` (the file), `plan` (the steps with all defaults), `measurement` or `provenance`. name: its path,
    such as `train.learning_rate`. first, second: the values as text, a dash where there is none. places: the methods
    and steps that it is a setting of, empty if it is one of the whole run.
    """

    source: str
    name: str
    first: str
    second: str
    places: tuple[str, ...] = ()


def differing(source: str, first: Any, second: Any) -> list[SettingDifference]:
    """Returns the differences between nested data of two runs, by path."""
    one, two = dict(_flat(first)), dict(_flat(second))
    names = dict.fromkeys([*one, *two])
    pairs = {name: (one.get(name, NOT_SET), two.get(name, NOT_SET)) for name in names}
    return [
        SettingDifference(source=source, name=name, first=pair[0], second=pair[1])
        for name, pair in pairs.items()
        if pair[0] != pair[1]
    ]


def differing_in_places(source: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> list[SettingDifference]:
    """Returns the differences between data by place, such as the steps of methods. Equal ones of several places are one
    difference. Places that only one run has are left out."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for place in first:
        for one in differing(source, first[place], second[place]) if place in second else ():
            places.setdefault((one.name, one.first, one.second), []).append(place)
    return [
        SettingDifference(source=source, name=name, first=before, second=after, places=tuple(found))
        for (name, before, after), found in places.items()
    ]


def _flat(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list | tuple) and data and all(isinstance(one, Mapping) for one in data):
        for place, one in enumerate(data):
            yield from _flat(one, f"{path}[{one.get('name', place)}]")
    else:
        yield path, data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, default=str)
