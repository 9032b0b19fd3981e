"""The files that a record keeps so that it can be checked, and their lines: definitions, items and answers.

All are JSON lines, compressed with xz. They are read in pieces, so that a small file cannot fill the memory.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from harness._util.json_reading import parse_json

MANIFEST = "manifest.json"
DEFINITIONS = "definitions.jsonl.xz"
SAMPLES = "samples"
SCHEMA = 1

LARGEST_CONTENT = 4_000_000_000
LONGEST_LINE = 200_000_000
_MEMORY = 64 * 1024 * 1024  # decompressing preset 6 takes 9 MiB
_PIECE = 1 << 20


def samples_file(column: str) -> str:
    """Returns the name of the file with the samples of a column, below the record's folder."""
    return f"{SAMPLES}/{column}.jsonl.xz"


class UnreadableLines(ValueError):
    """A file cannot be decompressed or is too large, or a line is not what it should be."""


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Manifest(_Line):
    """The sha256 of every file that is kept for checks, by name, and why the samples of other columns are not."""

    schema_version: int
    files: dict[str, str]
    left_out: dict[str, str] = {}


class DefinitionLine(_Line):
    """A result's key and definition. columns: what an evaluation scores."""

    key: str
    definition: dict[str, Any]
    columns: list[str] = []


class ItemLine(_Line):
    """An item of a task with its prompt and target, which all evaluations share. item: its number in the file."""

    item: int
    task: str
    doc_id: int
    doc: Any
    target: Any
    arguments: Any
    doc_hash: str
    prompt_hash: str
    target_hash: str


class AnswersLine(_Line):
    """The answers of one evaluation to one task.

    items: their numbers, in lm-eval's order. answers: for each item the responses to each of its requests. scores: by
    filter and metric, lm-eval's score of each item. means: by filter, the metrics whose value is the mean over items.
    """

    evaluation: str
    task: str
    items: list[int]
    answers: list[list[Any]]
    scores: dict[str, dict[str, list[Any]]]
    means: dict[str, list[str]]


class Compressor:
    """Compresses lines one after the other, always to the same bytes."""

    def __init__(self) -> None:
        self._xz = lzma.LZMACompressor(format=lzma.FORMAT_XZ, preset=6)
        self._parts: list[bytes] = []
        self.size = 0

    def add(self, line: BaseModel) -> None:
        """Adds a line."""
        text = json.dumps(line.model_dump(), sort_keys=True, separators=(",", ":"))  # scores may be infinite
        self._put(self._xz.compress(text.encode("ascii") + b"\n"))

    def finish(self) -> bytes:
        """Returns the file's content."""
        self._put(self._xz.flush())
        return b"".join(self._parts)

    def _put(self, part: bytes) -> None:
        self._parts.append(part)
        self.size += len(part)


def compressed(lines: Iterable[BaseModel]) -> bytes:
    """Returns the content of a file with these lines."""
    whole = Compressor()
    for line in lines:
        whole.add(line)
    return whole.finish()


def read_lines(content: bytes) -> Iterator[Any]:
    """Yields the data of each line. Raises UnreadableLines."""
    rest = b""
    for piece in _decompressed(content):
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise UnreadableLines(f"a line has more than {LONGEST_LINE:,} bytes")
        for line in lines:
            try:
                yield parse_json(line)
            except ValueError as error:
                raise UnreadableLines(f"a line is not JSON: {error}") from error
    if rest:
        raise UnreadableLines("the last line is cut off")


def _decompressed(content: bytes) -> Iterator[bytes]:
    xz = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MEMORY)
    total = 0
    try:
        piece = xz.decompress(content, _PIECE)
        while True:
            total += len(piece)
            if total > LARGEST_CONTENT:
                raise UnreadableLines(f"it has more than {LARGEST_CONTENT:,} bytes when decompressed")
            yield piece
            if xz.eof:
                break
            if xz.needs_input:
                raise UnreadableLines("it is cut off")
            piece = xz.decompress(b"", _PIECE)
    except lzma.LZMAError as error:
        raise UnreadableLines(f"it cannot be decompressed: {error}") from error
    if xz.unused_data:
        raise UnreadableLines("more data follows its end")


def read_definitions(content: bytes) -> dict[str, DefinitionLine]:
    """Returns the definitions by key. Raises UnreadableLines."""
    return {line.key: line for line in (_valid(DefinitionLine, data) for data in read_lines(content))}


def read_samples(content: bytes) -> Iterator[ItemLine | AnswersLine]:
    """Yields the lines of a file of samples: items before the answers that name them. Raises UnreadableLines."""
    for data in read_lines(content):
        yield _valid(ItemLine if isinstance(data, dict) and "item" in data else AnswersLine, data)


def _valid(model: type[Any], data: Any) -> Any:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        fault = error.errors()[0]
        raise UnreadableLines(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error
