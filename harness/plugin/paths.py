"""Paths in a protocol. Relative paths are resolved against the protocol's folder, not the working directory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class FolderOrName:
    """Marks a config field that contains a local folder or a Hub name:

        model: Annotated[str, FolderOrName()]

    The value is a path if it starts with `.`, `/` or `~`, or if it is a folder relative to the protocol's. Fields of
    type `Path` need no mark.
    """


@dataclass(frozen=True)
class PathEntries:
    """Marks a mapping field in which the values of some entries are paths."""

    entries: frozenset[str]


class SeenPath(str):
    """An absolute path. written: the path as written in the protocol, which is the part that keys cover."""

    written: str

    def __new__(cls, absolute: str, written: str) -> SeenPath:
        path = super().__new__(cls, absolute)
        path.written = written
        return path

    def __reduce__(self) -> tuple[type[SeenPath], tuple[str, str]]:
        return SeenPath, (str(self), self.written)


def seen_from(folder: Path | None, written: str) -> str:
    """Resolves a path against `folder`. Absolute paths and those starting with `~` are returned unchanged, as is any
    path if `folder` is None."""
    if folder is None or Path(written).expanduser().is_absolute():
        return written
    return SeenPath(str(folder.absolute() / written), written)


def looks_local(name: str) -> bool:
    """Returns whether the name of a model is a path."""
    return name.startswith((".", "/", "~"))


def marked_paths(folder: Path | None, value: Any, marks: Iterable[object]) -> Any:
    """Returns the JSON value of a field with its marked paths made absolute."""
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
    """Returns the name of a model, made absolute if it is a local folder."""
    if looks_local(written) or (folder is not None and (folder / written).is_dir()):
        return seen_from(folder, written)
    return written
