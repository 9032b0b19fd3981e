"""The config keys of a domain that name its data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from harness.errors import Problem, UsageError
from harness.plugin.config import Config, Unkeyed
from harness.plugin.hub_source import HubSource


class DataSource(Config):
    """A data set of the hub at a revision, or local files. A domain's config subclasses it with its own defaults.

    Result keys do not cover the files' paths, so the domain's fingerprint must include `fingerprint()`, which covers
    their content.
    """

    dataset: str | None = Field(default=None, description="a data set's name on the hub")
    subset: str | None = Field(default=None, description="the data set's configuration")
    revision: str | None = Field(default=None, description="a branch, tag or commit; pin a commit to publish")
    split: str = Field(default="train", description="the split to read")
    data_files: Annotated[tuple[Path, ...] | Path | None, Unkeyed("the fingerprint covers the files")] = Field(
        default=None, description="local JSON, JSON-lines, CSV, TSV or Parquet files, instead of the hub's data set"
    )

    def faults(self) -> Iterable[Problem]:
        """Yields a problem for each local file that is missing."""
        yield from missing_files("data_files", self.data_files)

    def files(self) -> tuple[Path, ...]:
        """Returns the local files; none if the rows come from the hub. Raises UsageError if a file is missing."""
        paths = tuple(_paths(self.data_files))
        for path in paths:
            if not path.is_file():
                raise UsageError("the data file does not exist", where=str(path), hint="check data_files")
        return paths

    def on_hub(self) -> HubSource:
        """Returns the data set and its revision, even if local files replace it."""
        return HubSource(kind="dataset", name=str(self.dataset), revision=self.revision)

    def hub_sources(self) -> tuple[HubSource, ...]:
        """Returns what is fetched from the hub: the data set, or nothing if there are local files."""
        return () if self.data_files or self.dataset is None else (self.on_hub(),)

    def fingerprint(self) -> str:
        """Returns a hash of the local files' bytes, or the data set's name, subset, revision and split."""
        files = self.files()
        if files:
            digest = hashlib.sha256()
            for path in files:
                digest.update(path.suffix.lower().encode())  # the suffix decides how a file is read
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            return f"files {digest.hexdigest()}"
        return f"{self.dataset} {self.subset} {self.revision} {self.split}"


def missing_files(key: str, given: Sequence[Path] | Path | None) -> Iterator[Problem]:
    """Yields a problem with this key for each file that is missing."""
    for path in _paths(given):
        if not path.is_file():
            yield Problem(key=key, message=f"the file {path} does not exist", hint="check the path")


def _paths(given: Sequence[Path] | Path | None) -> Iterator[Path]:
    for path in (given,) if given is None or isinstance(given, Path) else given:
        if path is not None:
            yield path.expanduser()
