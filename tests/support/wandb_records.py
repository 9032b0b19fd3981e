"""Reads an offline file of Weights & Biases by wandb's own message types; wandb has no reader of it in Python.

The file is a LevelDB log: a header of 7 bytes, then blocks of 32 KiB with records, each after its checksum, length and
type (1: whole; 2, 3, 4: first, middle, last part).
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

HEADER, BLOCK, RECORD = 7, 32 * 1024, struct.Struct("<IHB")


def records(path: Path) -> Iterator:
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, parts = path.read_bytes(), HEADER, b""
    assert content[:4] == b":W&B"
    while at + RECORD.size <= len(content):
        if BLOCK - at % BLOCK < RECORD.size:  # no header fits: the block ends in zeros
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = RECORD.unpack_from(content, at)
        parts += content[at + RECORD.size : at + RECORD.size + length]
        at += RECORD.size + length
        if kind in (1, 4):
            yield Record.FromString(parts)
            parts = b""


def history(path: Path) -> tuple[str, str, list[dict]]:
    """Returns the group, the name and the logged rows of a run."""
    group = name = ""
    rows = []
    for record in records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            group, name = record.run.run_group, record.run.display_name
        elif kind == "history":
            row = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            rows.append({key: value for key, value in row.items() if not key.startswith("_")})
    return group, name, rows
