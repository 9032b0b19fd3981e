"""Kept records, and the boards that they make: the records of one protocol that can be ranked together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import ProtocolError, UsageError
from harness.execution.run_folder import LEADERBOARD, PROTOCOL, RunFolder
from harness.protocol.source import read_source
from harness.report.site.contents import FILE as CONTENTS
from harness.report.training_curves import FILE as CURVES
from harness.report.training_curves import StageCurve, parse_curves
from harness.results.check import inconsistencies
from harness.results.combine import combine
from harness.results.leaderboard import SCHEMA_VERSION, Leaderboard
from harness.results.rebuild import rebuilt

_NO_RECORDS = {"store", "published"}
"""Folders beside records that have none: the results of runs, and the rows of papers."""
_MOST_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class KeptRecord:
    """A kept record. place: its folder, relative to the folder of all records, with slashes; the protocol's name if it
    is the only one. stored_schema: the schema of its file; an older one was recomputed. settings: the protocol as
    data, empty if it is missing or cannot be read. curves: of its trainings, if kept."""

    folder: Path
    place: str
    leaderboard: Leaderboard
    stored_schema: int
    protocol: str
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]
    curves: tuple[StageCurve, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Board:
    """Records that are ranked together. leaderboard: the combined one. place: that of its first record."""

    leaderboard: Leaderboard
    records: tuple[KeptRecord, ...]

    @property
    def place(self) -> str:
        return self.records[0].place

    @property
    def summary(self) -> str:
        """The first summary of its protocols, empty if there is none."""
        return next((text for one in self.records if isinstance(text := one.settings.get("summary"), str)), "")


def read_records(folder: Path) -> list[KeptRecord]:
    """Returns the records in `folder` and below, sorted by place.

    Raises UsageError if there are none, or if one cannot be read, has a newer schema or is inconsistent.
    """
    if not folder.is_dir():
        raise UsageError("there is no such folder", where=str(folder), hint="name a folder with kept records")
    found = [_read(place, folder) for place in sorted(_record_folders(folder))]
    if len(found) == 1 and found[0].place == ".":
        return [replace(found[0], place=found[0].leaderboard.protocol)]
    if not found:
        raise UsageError(
            f"there is no {LEADERBOARD} in this folder or below it",
            where=str(folder),
            hint="`harness leaderboard add RUN` keeps the record of a run",
        )
    return sorted(found, key=lambda one: one.place)


def _record_folders(folder: Path) -> Iterator[Path]:
    for place, below, files in os.walk(folder):
        below[:] = [name for name in below if not name.startswith(".") and name not in _NO_RECORDS]
        if CONTENTS in files:
            below.clear()  # a site has copies of records
        elif LEADERBOARD in files:
            yield Path(place)


def _read(folder: Path, root: Path) -> KeptRecord:
    where = folder / LEADERBOARD
    stored = Leaderboard.read(where, upgrade=False)
    current = stored.schema_version == SCHEMA_VERSION
    if current and (found := inconsistencies(stored)):
        more = [f"and {len(found) - _MOST_SHOWN} more"] if len(found) > _MOST_SHOWN else []
        raise UsageError(
            "this record is inconsistent:\n  " + "\n  ".join(found[:_MOST_SHOWN] + more),
            where=str(where),
            hint=f"`harness leaderboard validate {folder}` checks it; leave its folder out to publish the others",
        )
    leaderboard = stored if current else rebuilt(stored)
    text, settings = _protocol(folder / PROTOCOL)
    return KeptRecord(
        folder=folder,
        place=folder.relative_to(root).as_posix(),
        leaderboard=leaderboard,
        stored_schema=stored.schema_version,
        protocol=text,
        settings=settings,
        provenance=RunFolder(folder).provenance() or leaderboard.provenance,
        curves=parse_curves(folder / CURVES) if (folder / CURVES).is_file() else (),
    )


def _protocol(path: Path) -> tuple[str, Mapping[str, Any]]:
    """Returns a protocol's text and data, empty if there is no file or it cannot be parsed."""
    if not path.is_file():
        return "", {}
    try:
        read = read_source(path)
    except ProtocolError:
        return path.read_bytes().decode("utf-8", errors="replace"), {}
    return read.text, read.data


def boards_of(records: Sequence[KeptRecord]) -> list[Board]:
    """Returns the boards, in the order of their first records.

    Records share a board if they have the same protocol name, were measured in the same way, and define and score the
    methods that they share in the same way (`harness.results.combine`). The others have boards of their own.
    """
    boards: list[Board] = []
    for record in records:
        for index, board in enumerate(boards):
            together = (*board.records, record)
            if board.leaderboard.protocol == record.leaderboard.protocol and (
                combined := _combined([one.leaderboard for one in together])
            ):
                boards[index] = replace(board, leaderboard=combined, records=together)
                break
        else:
            boards.append(Board(leaderboard=record.leaderboard, records=(record,)))
    return boards


def _combined(leaderboards: Sequence[Leaderboard]) -> Leaderboard | None:
    try:
        return combine(leaderboards)
    except UsageError:
        return None
