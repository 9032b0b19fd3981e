"""Writes the data files of the domains: `python -m harness_smollm.build [FOLDER]`. The same files every time."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from harness_smollm.build.arithmetic import math_rows
from harness_smollm.build.code import code_rows
from harness_smollm.build.functions import TESTED, TRAINED
from harness_smollm.build.sentences import qa_rows
from harness_smollm.build.writing import writing_rows

ROWS = {"train": 512, "test": 256}
SHIPPED = Path(__file__).parents[1] / "data"


def files() -> dict[str, str]:
    """Returns the content of each data file by its name. Within a file no row occurs twice."""
    sources = {
        "code_train": code_rows(TRAINED, _draw("code train")),
        "code_test": code_rows(TESTED, _draw("code test")),
        "math_train": math_rows("train", _draw("math train")),
        "math_test": math_rows("test", _draw("math test")),
        "qa_train": qa_rows("train", _draw("qa train")),
        "qa_test": qa_rows("test", _draw("qa test")),
        "writing_train": writing_rows("train", _draw("writing train")),
        "writing_test": writing_rows("test", _draw("writing test")),
    }
    return {
        f"{name}.jsonl": "".join(f"{line}\n" for line in islice(_distinct(rows), ROWS[name.rpartition("_")[2]]))
        for name, rows in sources.items()
    }


def _distinct(rows: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    seen: set[str] = set()
    for row in rows:
        line = json.dumps(row)
        if line not in seen:
            seen.add(line)
            yield line


def _draw(name: str) -> random.Random:
    return random.Random(f"harness_smollm/{name}/1")


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else SHIPPED
    for name, content in files().items():
        (folder / name).write_text(content, encoding="utf-8")
