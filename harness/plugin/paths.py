"""Paths in a protocol: relative ones are seen from the protocol's folder, wherever a command runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class FolderOrName:
    """Marks a config field whose text is a local folder or a name on the hub:

        model: Annotated[str, FolderOrName()]

    A text that begins with `.`, `/` or `~`, and one that is a folder as seen from the protocol's, is a path. Fields of
    the type `Path` need no mark.
    """


@dataclass(frozen=True)
class PathEntries:
    """Marks a config field that is a mapping in which the texts of some entries are paths."""

    entries: frozenset[str]


class SeenPath(str):
    """A path made absolute. written: as the protocol has it, which is what keys cover of it."""

    written: str

    def __new__(cls, absolute: str, written: str) -> SeenPath:
        path = super().__new__(cls, absolute)
        path.written = written
        return path

    def __reduce__(self) -> tuple[type[SeenPath], tuple[str, str]]:
        return SeenPath, (str(self), self.written)


def seen_from(folder: Path | None, written: str) -> str:
    """Returns a path as seen from `folder`; an absolute one, one in a home folder, and any for None as it is."""
    if folder is None or Path(written).expanduser().is_absolute():
        return written
    return SeenPath(str(folder.absolute() / written), written)


def looks_local(name: str) -> bool:
    """Returns whether a model's name is written as a path."""
    return name.startswith((".", "/", "~"))


def marked_paths(folder: Path | None, value: Any, marks: Iterable[object]) -> Any:
    """Returns a field's JSON value with the paths that its marks tell of made absolute."""
    for mark in marks:
        if isinstance(mark, FolderOrName) and isinstance(value, str):
            value = _model_seen_from(folder, value)
        if isinstance(mark, PathEntries) and isinstance(value, Mapping):
            value = {
                key: seen_from(folder, item) if key in mark.entries and isinstance(item, str) else item
                for key, item in value.items()
            }
    return value


def _model_seen_from(folder: Path | None, written: str) -> str:
    """Returns a model's name, made absolute where it is a local folder."""
    if looks_local(written) or (folder is not None and (folder / written).is_dir()):
        return seen_from(folder, written)
    return written
