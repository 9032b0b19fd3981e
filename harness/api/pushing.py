"""Pushes kept records to a data set repository of the Hugging Face Hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness._util.untrusted_file import refuse_special_files
from harness.api.protocols import installed_plugins
from harness.api.verifying import verify_record
from harness.errors import UsageError
from harness.execution.run_folder import LEADERBOARD

if TYPE_CHECKING:
    from harness.api.hub_upload import Files
    from harness.plugin.registry import Registry

_KINDS = frozenset({".csv", ".html", ".json", ".md", ".parquet", ".tex", ".yaml", ".xz"})
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+.-]{0,99}")


def push_records(
    repository: str,
    folders: Sequence[str | Path] = (),
    *,
    private: bool = False,
    registry: Registry | None = None,
) -> str:
    """Pushes kept records to a data set repository, with a card. Returns the address of the commit.

    A push is one commit: an interrupted one publishes nothing, and the same one again adds none. Each record replaces
    the one in its folder of the repository; other records stay. The token is that of `hf auth login` or `HF_TOKEN`.

    repository: `ORG/NAME`, created if necessary. folders: each with a leaderboard.json; default: all below
    `leaderboards`. private: of a new repository. registry: the plugins to check the records with. Raises UsageError if
    a record has a fault (see `verify_record`), if there is no token, if the hub refuses it or the name, or cannot be
    reached.
    """
    from harness.api.hub_upload import push_files, repository_of
    from harness.report.records_card import records_card
    from harness.results.leaderboard import Leaderboard

    target = repository_of(repository, "dataset")
    records = _named(folders)
    plugins = installed_plugins(registry)
    for folder in records.values():
        found = verify_record(folder, registry=plugins)
        if not found.passed:
            raise UsageError(
                f"this record has faults, the first: {found.faults[0]}",
                where=str(folder),
                hint=f"`harness leaderboard verify {folder}` lists them; nothing was pushed",
            )
    boards = {name: Leaderboard.read(folder / LEADERBOARD) for name, folder in records.items()}
    own = {f"{name}/{path}": content for name, folder in records.items() for path, content in _files(folder).items()}

    def contents(present: Sequence[str]) -> Files:
        there = [path.removesuffix(f"/{LEADERBOARD}") for path in present if path.endswith(f"/{LEADERBOARD}")]
        there = [name for name in there if _is_place(name)]
        return own | {"README.md": records_card(repository, boards, there).encode()}

    return push_files(
        target,
        contents,
        message=f"Records of {', '.join(sorted(records))}",
        private=private,
        replaced=lambda path: any(_lies_in(path, name) for name in records),
    )


def _named(folders: Sequence[str | Path]) -> dict[str, Path]:
    """Returns the folders of records by their path in the repository.

    Raises UsageError if there are none, or for a name that does not work everywhere.
    """
    root = Path("leaderboards")
    found: dict[str, Path] = {}
    given = [(Path(folder).resolve().name, Path(folder)) for folder in folders]
    for name, folder in given or ((path.parent.relative_to(root).as_posix(), path.parent) for path in _below(root)):
        if not _is_place(name):
            raise UsageError(
                f"{name!r} is not a name for a record", where=str(folder), hint="rename it: letters, digits, '-', '_'"
            )
        if name in found:
            raise UsageError(f"two records have the name {name}", where=str(folder), hint="push them one by one")
        found[name] = folder
    if not found:
        raise UsageError("there are no records", where=str(root), hint="name folders with a leaderboard.json")
    return found


def _is_place(name: str) -> bool:
    return all(_PART.fullmatch(part) for part in name.split("/"))


def _below(root: Path) -> list[Path]:
    return sorted(root.rglob(LEADERBOARD)) if root.is_dir() else []


def _files(folder: Path) -> dict[str, Path]:
    """Returns the files of a record by path. Other files that lie in its folder are not pushed."""
    return {path.relative_to(folder).as_posix(): path for path in _kept(folder)}


def _kept(folder: Path) -> Iterator[Path]:
    for place in (folder, folder / "samples"):
        if place.is_dir():
            refuse_special_files(place)
            for path in sorted(place.iterdir()):
                if path.is_file() and path.suffix in _KINDS and _PART.fullmatch(path.name):
                    yield path


def _lies_in(path: str, record: str) -> bool:
    """Returns whether a file of the repository belongs to a record, and not to one in a folder below."""
    inside = path.removeprefix(f"{record}/")
    return path != inside and inside.removeprefix("samples/").count("/") == 0
