"""One lm-eval task as a column: the user's own, from a folder, or one of lm-eval's. It has no training data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness import Config, Domain, EvaluationTask, Problem, StepFailed, Unkeyed, UsageError

if TYPE_CHECKING:
    from datasets import Dataset

_LOADERS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
"""The loader of `datasets` for a data file, by its suffix."""


class LmEvalTaskConfig(Config):
    """A task, its metric, and where its files are."""

    task: str = Field(min_length=1, description="name of the task")
    metric: str = Field(min_length=1, description="the metric of the task that is the score, such as acc")
    filter: str = Field(default="none", min_length=1, description="the filter of the metric, as in lm-eval's results")
    higher_is_better: bool = Field(default=True, description="whether a higher value of the metric is better")
    percent: bool = Field(default=True, description="whether the metric is from 0 to 1 and shown times 100")
    include: Annotated[Path | None, Unkeyed("the fingerprint covers the files")] = Field(
        default=None, description="folder with the task's YAML file and all files that it reads; null: lm-eval's own"
    )
    data: Annotated[dict[str, Path], Unkeyed("the fingerprint covers the files")] = Field(
        default={}, description="data files by split, in place of the task's data set: JSON lines, JSON, CSV or Parquet"
    )
    format: Literal["plain", "chat"] | None = Field(
        default=None, description="whether items go through the chat template; null: as evaluate.chat_template says"
    )

    def faults(self) -> Iterator[Problem]:
        if self.include is not None and not self.include.is_dir():
            yield Problem(key="include", message=f"{self.include} is not a folder", hint="it has the task's YAML file")
        for split, path in self.data.items():
            if path.suffix not in _LOADERS:
                hint = f"give one that ends with {', '.join(_LOADERS)}"
                yield Problem(key=f"data.{split}", message=f"{path} is not a data file", hint=hint)
            elif not path.is_file():
                yield Problem(key=f"data.{split}", message=f"there is no file {path}", hint="correct the path")


class LmEvalTask(Domain):
    """One lm-eval task."""

    def __init__(self, config: LmEvalTaskConfig) -> None:
        self.config = config
        self.chat = None if config.format is None else config.format == "chat"

    def fingerprint(self) -> str:
        """Covers the folder's files and the data files, and for lm-eval's own tasks the version of lm-eval."""
        folder, data = self.config.include, self.config.data
        try:
            own = _digest((str(path.relative_to(folder)), path) for path in _files(folder)) if folder else ""
            local = _digest(sorted(data.items()))
        except OSError as error:
            raise UsageError(f"cannot be read: {error.strerror}", where=str(error.filename)) from error
        return f"lm_eval/{own or version('lm_eval')}/{local}/1"

    def training_data(self, seed: int) -> Dataset:
        raise StepFailed("an lm-eval task has no training data", hint="name it under evaluate.columns, not domains")

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        config = self.config
        task = EvaluationTask(
            task=config.task,
            metric=config.metric,
            filter=config.filter,
            higher_is_better=config.higher_is_better,
            percent=config.percent,
        )
        return (task,)

    def task_folder(self) -> Path | None:
        return self.config.include

    def task_overrides(self) -> Mapping[str, Mapping[str, Any]]:
        if not self.config.data:
            return {}
        files = {split: str(path) for split, path in self.config.data.items()}
        loader = _LOADERS[next(iter(self.config.data.values())).suffix]
        data = {"dataset_path": loader, "dataset_name": None, "dataset_kwargs": {"data_files": files}}
        return {self.config.task: data}


def _files(folder: Path) -> list[Path]:
    """Returns the files of a folder, without what Python caches in it."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if "__pycache__" not in path.relative_to(folder).parts)


def _digest(named: Iterable[tuple[str, Path]]) -> str:
    """Returns a digest of files and their names."""
    digest = hashlib.sha256()
    for name, path in named:
        with path.open("rb") as file:
            digest.update(name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
