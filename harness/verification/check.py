"""Checks a kept record from its samples up: scores, means, intervals, ranks and keys."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from harness._util.untrusted_file import read_untrusted, refuse_special_files
from harness.errors import HarnessError, UsageError
from harness.execution.run_folder import LEADERBOARD, SCORES
from harness.plugin.registry import Registry
from harness.results.leaderboard import SCHEMA_VERSION, Leaderboard
from harness.verification.findings import Findings, RecordCheck
from harness.verification.kept_lines import (
    DEFINITIONS,
    MANIFEST,
    SAMPLES,
    SCHEMA,
    DefinitionLine,
    Manifest,
    UnreadableLines,
    read_definitions,
    samples_file,
)
from harness.verification.keys import check_keys
from harness.verification.metrics import check_metrics
from harness.verification.numbers import check_numbers, check_shape, check_table, read_table
from harness.verification.places import titles
from harness.verification.samples import ColumnSamples
from harness.verification.scoring import Scoring, scoring_of

_GIVEN = ("costs", "that the answers are those of the checkpoints, since no model was run")


def check_record(folder: Path, registry: Registry, allow: Collection[str] = ()) -> RecordCheck:
    """Checks the record in a folder, as documented at `harness.verify_record`."""
    if not folder.is_dir():
        raise UsageError("this is not a folder", where=str(folder), hint=f"name the folder with the {LEADERBOARD}")
    for place in (folder, folder / SAMPLES):
        if place.is_symlink():
            raise UsageError("this is a link", where=str(place), hint="a record has only files and folders")
        if place.is_dir():
            refuse_special_files(place)
    leaderboard = Leaderboard.read(folder / LEADERBOARD, upgrade=False)
    if leaderboard.schema_version < SCHEMA_VERSION:
        raise UsageError(
            f"this record has schema {leaderboard.schema_version}, whose intervals are too narrow",
            where=str(folder / LEADERBOARD),
            hint=f"`harness leaderboard rebuild {folder}` recomputes them from the scores in the record",
        )
    return _Record(folder, leaderboard, registry, allow).check()


@dataclass
class _Record:
    """The check of one record."""

    folder: Path
    leaderboard: Leaderboard
    registry: Registry
    allow: Collection[str]

    def check(self) -> RecordCheck:
        self._findings = Findings()
        if check_shape(self.leaderboard, self._findings):
            try:
                self._check_all()
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                # A stranger's record is valid JSON of the right types, but no run wrote it.
                self._findings.fault(LEADERBOARD, "a record of a run", f"{type(error).__name__}: {error}")
        else:
            self._findings.missed(f"the rest, because the rows of {LEADERBOARD} do not fit together")
        found = self._findings
        return RecordCheck(
            folder=self.folder,
            checked=tuple(found.checked),
            unchecked=tuple(found.unchecked),
            given=_GIVEN,
            faults=tuple(dict.fromkeys(found.faults)),
        )

    def _check_all(self) -> None:
        check_numbers(self.leaderboard, self._findings)
        table = self._table()
        if table is not None:
            check_table(self.leaderboard, table, self._findings)
        manifest = self._manifest()
        if manifest is not None:
            contents = self._contents(manifest)
            definitions = self._definitions(contents)
            if table is not None and definitions is not None:
                self._check_samples(table, definitions, manifest, contents)
        check_metrics(self.leaderboard, self.registry, self.allow, self._findings)

    def _table(self) -> pl.DataFrame | None:
        if not (self.folder / SCORES).exists():
            self._findings.missed(f"{SCORES} is not kept: scores not compared")
            return None
        try:
            return read_table(self.folder)
        except HarnessError as error:
            self._findings.fault(SCORES, "a readable score table", error.message)
            return None

    def _manifest(self) -> Manifest | None:
        path = self.folder / MANIFEST
        if not path.exists():
            for name in (DEFINITIONS, SAMPLES):
                if (self.folder / name).exists():
                    self._findings.fault(MANIFEST, f"a file that lists {name}", "none")
            self._findings.missed("samples are not kept: scores not recomputed")
            self._findings.missed("definitions are not kept: keys not recomputed")
            return None
        try:
            manifest = Manifest.model_validate_json(read_untrusted(path))
        except ValueError as error:
            self._findings.fault(MANIFEST, "the list of kept files", str(error).splitlines()[0])
            return None
        if manifest.schema_version != SCHEMA:
            self._findings.fault(MANIFEST, f"schema {SCHEMA}", f"schema {manifest.schema_version}")
            return None
        return manifest

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return (SCORES, DEFINITIONS, *map(samples_file, self.leaderboard.columns))

    def _contents(self, manifest: Manifest) -> dict[str, bytes]:
        """Returns the content of the listed files. Opens only names that a record can have."""
        found: dict[str, bytes] = {}
        for name, stated in manifest.files.items():
            if name not in self._names:
                self._findings.fault(MANIFEST, "names of files of this record", name)
            elif not (self.folder / name).exists():
                self._findings.fault(name, "a file", "none")
            else:
                try:
                    found[name] = read_untrusted(self.folder / name)
                except HarnessError as error:
                    self._findings.fault(name, "a readable file", error.message)
                    continue
                self._findings.compare(f"{name}, sha256", stated, hashlib.sha256(found[name]).hexdigest())
        for name in self._names:
            if name not in manifest.files and (self.folder / name).exists():
                self._findings.fault(MANIFEST, f"the sha256 of {name}", "none")
        return found

    def _definitions(self, contents: Mapping[str, bytes]) -> dict[str, DefinitionLine] | None:
        if DEFINITIONS not in contents:
            self._findings.missed("definitions are not kept: keys and scores not recomputed")
            return None
        try:
            definitions = read_definitions(contents[DEFINITIONS])
        except UnreadableLines as error:
            self._findings.fault(DEFINITIONS, "readable definitions", error)
            return None
        return definitions if check_keys(self.leaderboard, definitions, self._findings) else None

    def _check_samples(
        self,
        table: pl.DataFrame,
        definitions: Mapping[str, DefinitionLine],
        manifest: Manifest,
        contents: Mapping[str, bytes],
    ) -> None:
        names = titles(self.leaderboard)
        cached: dict[str, Scoring | str] = {}
        for column in self.leaderboard.columns:
            name = samples_file(column)
            rows = self._rows(table, column, definitions)
            if name not in contents:
                if name not in manifest.files and rows:
                    reason = manifest.left_out.get(column, "they are not listed")
                    self._findings.missed(f"samples of {column} are not kept ({reason}): scores not recomputed")
                continue
            scoring = {key: self._scoring(definitions[key].definition, cached) for key in rows}
            places = {key: names.get(str(definitions[key].definition.get("checkpoint")), key) for key in rows}
            samples = ColumnSamples(name, rows, places, scoring, self._findings)
            samples.check(contents[name])
            self._report(column, samples, scoring.values())

    def _scoring(self, definition: Mapping[str, Any], cached: dict[str, Scoring | str]) -> Scoring | str:
        """Returns how an evaluation is scored. All checkpoints of a column share it."""
        shared = repr(sorted((part, repr(value)) for part, value in definition.items() if part != "checkpoint"))
        if shared not in cached:
            cached[shared] = scoring_of(definition, self.registry, self.allow)
        return cached[shared]

    def _rows(
        self, table: pl.DataFrame, column: str, definitions: Mapping[str, DefinitionLine]
    ) -> dict[str, Sequence[Mapping[str, Any]]]:
        """Returns the rows of the score table by evaluation of the column, each checkpoint once."""
        keys = {
            str(line.definition.get("checkpoint")): key
            for key, line in definitions.items()
            if column in line.columns and line.definition.get("kind") == "evaluate"
        }
        found: dict[str, Sequence[Mapping[str, Any]]] = {}
        own = table.filter(pl.col("domain") == column)
        for (checkpoint,), rows in own.partition_by("checkpoint", as_dict=True, maintain_order=True).items():
            key = keys.get(str(checkpoint))
            if key is None:
                self._findings.fault(f"{DEFINITIONS}, {column}", f"the evaluation of {checkpoint}", "none")
                continue
            each = rows.unique(["task", "metric", "filter"], keep="first", maintain_order=True).to_dicts()
            different = rows.n_unique(["task", "metric", "filter", "value", "stderr", "n"])
            self._findings.compare(f"{SCORES}, {column}, rows of {checkpoint} in several methods", len(each), different)
            evaluate = definitions[key].definition.get("evaluate", {})
            for stated, setting in (("limit", "limit"), ("batch_size", "batch_size"), ("eval_seed", "seed")):
                where = f"{SCORES}, {column}, {stated} of {checkpoint}"
                self._findings.compare(where, evaluate.get(setting), each[0][stated])
            found[key] = each
        return found

    def _report(self, column: str, samples: ColumnSamples, scoring: Collection[Scoring | str]) -> None:
        if samples.rescored:
            self._findings.done(f"scores of {column}: {samples.rescored} evaluations scored again from their answers")
        if samples.averaged:
            means = f"the means of the items' stored scores, in {samples.averaged} evaluations"
            self._findings.done(f"scores of {column}: {means}")
            reasons = "; ".join(samples.reasons)
            self._findings.missed(f"answers of {column} were not scored again: {reasons}")
        for text in dict.fromkeys(_versions(scoring)):
            self._findings.done(text)


def _versions(scoring: Collection[Scoring | str]) -> Iterator[str]:
    for one in scoring:
        if isinstance(one, Scoring) and one.changed is not None:
            yield f"scored by {one.changed}, scored again by {one.plugin}"
