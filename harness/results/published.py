"""Published results: numbers from papers with their sources. They are never ranked with measured rows."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from harness.errors import UsageError

Grade = Literal["P", "S", "D"]
GRADES: dict[Grade, str] = {
    "P": "the paper's abstract, its authors' page or repository",
    "S": "a secondary source, not checked against the paper",
    "D": "derived from other published numbers",
}


class Cell(BaseModel):
    """A published number and the grade of its source (see `GRADES`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    value: float
    grade: Grade


class PublishedRow(BaseModel):
    """A row of a paper's table. model: the base model. cells: by column, None for unknown numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    model: str
    method: str
    cells: dict[str, Cell | None]
    note: str = ""


class PublishedTable(BaseModel):
    """A table of a paper. source: where in the paper the numbers are. decimals: the number of published decimals."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    title: str
    arxiv: str
    url: str
    source: str
    note: str = ""
    decimals: int = 2
    columns: tuple[str, ...]
    rows: tuple[PublishedRow, ...]

    @model_validator(mode="after")
    def _cells_are_the_columns(self) -> PublishedTable:
        for row in self.rows:
            if set(row.cells) != set(self.columns):
                raise ValueError(f"row {row.method!r} does not have exactly the columns {', '.join(self.columns)}")
        return self

    def grades(self) -> list[Grade]:
        """Returns the grades that occur, best first."""
        found = {cell.grade for row in self.rows for cell in row.cells.values() if cell is not None}
        return [grade for grade in GRADES if grade in found]


def read_published(path: Path) -> PublishedTable:
    """Returns the table in a YAML file. Raises UsageError if it cannot be read or is malformed."""
    import json

    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return PublishedTable.model_validate_json(json.dumps(data))
    except (OSError, UnicodeDecodeError, YAMLError, TypeError) as error:
        raise UsageError(f"these published results cannot be read: {error}", where=str(path)) from error
    except RecursionError as error:
        raise UsageError("these published results are nested too deeply", where=str(path)) from error
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise UsageError("these published results are malformed:\n  " + "\n  ".join(faults), where=str(path)) from error


def published_folder() -> Path:
    """Returns `leaderboards/published` in the current folder, or otherwise that of the source checkout."""
    here = Path("leaderboards/published")
    return here if here.is_dir() else Path(__file__).resolve().parents[2] / here


def read_published_folder(folder: Path) -> tuple[PublishedTable, ...]:
    """Returns the tables in a folder's YAML files, sorted by file name. Raises UsageError if there are none."""
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise UsageError(
            "there are no published results here", where=str(folder), hint="pass the folder with --published DIR"
        )
    return tuple(read_published(path) for path in paths)
