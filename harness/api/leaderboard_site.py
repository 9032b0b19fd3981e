"""Writes the leaderboard site: static pages from kept records."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness._util.files import write_together
from harness._util.version import VERSION
from harness.api.protocols import installed_plugins
from harness.errors import UsageError
from harness.report.site.contents import FILE as CONTENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.plugin.registry import Registry
    from harness.report.site.records import Board
    from harness.results.published import PublishedTable


@dataclass(frozen=True, kw_only=True)
class LeaderboardSite:
    """A written site. start: its first page. files: all its files. size: of all files, in bytes. records: the number of
    records. boards: the number of tables, which is smaller if records are ranked together."""

    start: Path
    files: tuple[Path, ...]
    size: int
    records: int
    boards: int


def build_site(
    folder: str | Path,
    output: str | Path,
    *,
    published: str | Path | None = None,
    reports: bool = True,
    registry: Registry | None = None,
) -> LeaderboardSite:
    """Writes static pages of the kept records in `folder` and below to the folder `output`.

    Records of one protocol that are comparable share a table. The same records give the same files, byte for byte.
    Files of an earlier build that the site no longer has are removed; other files in `output` are left alone.

    published: a folder with rows of papers; default: `published` in `folder`, if it exists. reports: also write the
    report of each record, with its figures. registry: the plugins whose citations are
    shown; default: all installed ones.

    Raises UsageError if there are no records, if one cannot be read, has a newer schema or is inconsistent, or if
    `output` has files that are not of a site.
    """
    from harness.report.site.pages import site_files
    from harness.report.site.records import boards_of, read_records

    folder, output = Path(folder), Path(output)
    earlier = _earlier_files(output)
    plugins = installed_plugins(registry)
    records = read_records(folder)
    boards = boards_of(records)
    files = site_files(boards, _published(folder, published), plugins, _reports(boards, plugins) if reports else {})
    _write(output, files, earlier)
    return LeaderboardSite(
        start=output / "index.html",
        files=tuple(output / name for name in files),
        size=sum(map(len, files.values())),
        records=len(records),
        boards=len(boards),
    )


def _published(folder: Path, chosen: str | Path | None) -> tuple[PublishedTable, ...]:
    from harness.results.published import read_published_folder

    if chosen is not None:
        return read_published_folder(Path(chosen))
    return read_published_folder(folder / "published") if (folder / "published").is_dir() else ()


def _reports(boards: Iterable[Board], registry: Registry) -> dict[str, dict[str, str]]:
    """Returns the HTML of the report of each record, by the places of its board and its own."""
    from harness.api.run_probes import read_probes
    from harness.report.page import make_report
    from harness.report.reading import read_run

    return {
        board.place: {
            record.place: make_report(read_run(record.folder), read_probes(record.folder, registry)).html
            for record in board.records
        }
        for board in boards
    }


def _earlier_files(output: Path) -> list[str]:
    """Returns the paths that an earlier build wrote. Raises UsageError if `output` has files but is not a site."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return []
    hint = "name a new folder, or one that this command wrote"
    try:
        files = json.loads((output / CONTENTS).read_bytes())["files"]
        if all(isinstance(name, str) and _is_inside(name) for name in files):
            return list(files)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UsageError("this folder has files, but no site", where=str(output), hint=hint)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts


def _write(output: Path, files: dict[str, bytes], earlier: Iterable[str]) -> None:
    contents = json.dumps({"schema": 1, "version": VERSION, "files": sorted(files)}, indent=1) + "\n"
    write_together({output / name: content for name, content in files.items()} | {output / CONTENTS: contents.encode()})
    for name in set(earlier) - set(files):
        gone = output / name
        gone.unlink(missing_ok=True)
        with suppress(OSError):  # it has other files
            for parent in gone.relative_to(output).parents:
                (output / parent).rmdir()
