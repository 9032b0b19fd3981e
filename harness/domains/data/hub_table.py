"""Loads a data set of the hub at one commit: from the cache of `datasets`, else from the hub.

If the hub is unreachable, `datasets` uses whichever commit it prepared last and only logs it. Here the commit is
resolved first, and no other commit is read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from harness.domains.data.hub import commit_of, first_line, hub_fault, is_unreachable
from harness.domains.data.source import DataSource
from harness.errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset

_DEFAULT_SUBSET = "default"


def load_hub_table(source: DataSource) -> Dataset:
    """Returns the rows of the split. Raises UsageError with a hint if they cannot be loaded."""
    if source.dataset is None:
        raise UsageError("no data set is given", hint="set data_files to your own files, or dataset to one of the hub")
    commit = commit_of(source.on_hub())
    folder = _prepared(source, commit)
    return _fetch(source, commit) if folder is None else _read(source, folder)


def _prepared(source: DataSource, commit: str) -> Path | None:
    """Returns the folder in which `datasets` has prepared this commit's rows, or None.

    Without a subset, only the one named `default` counts: others may have been prepared for their own names.
    """
    root = _prepared_root(source)
    found = [path for path in root.glob(f"{source.subset or _DEFAULT_SUBSET}/*/{commit}") if path.is_dir()]
    return found[0] if found else None


def _prepared_root(source: DataSource) -> Path:
    from datasets import config
    from datasets.naming import camelcase_to_snakecase

    owner, _, name = str(source.dataset).rpartition("/")
    folder = camelcase_to_snakecase(name)
    return Path(config.HF_DATASETS_CACHE) / (f"{owner}___{folder}" if owner else folder)


def _read(source: DataSource, folder: Path) -> Dataset:
    from datasets import DatasetBuilder
    from datasets.exceptions import DatasetsError
    from datasets.packaged_modules.cache.cache import Cache

    try:
        builder: DatasetBuilder = Cache(
            repo_id=source.dataset,
            dataset_name=str(source.dataset).rpartition("/")[2],
            config_name=folder.parts[-3],
            version=folder.parts[-2],
            hash=folder.parts[-1],
        )
        _check_split(source, list(builder.info.splits or {}))
        rows = builder.as_dataset(split=source.split)
    except (DatasetsError, ValueError, OSError, LookupError, TypeError) as error:
        raise UsageError(
            f"the cached rows cannot be read: {first_line(error)}",
            where=str(folder),
            hint="delete this folder; the next run or `harness prefetch` creates it again",
        ) from error
    return rows


def _check_split(source: DataSource, splits: list[str]) -> None:
    if source.split.partition("[")[0] not in splits:
        raise UsageError(
            f"the data set has no split {source.split!r}",
            where=f"data set {source.on_hub()}",
            hint=f"it has {', '.join(splits)}: set `split`",
        )


def _fetch(source: DataSource, commit: str) -> Dataset:
    import httpx2
    from datasets import load_dataset_builder
    from datasets.exceptions import DatasetGenerationError, DatasetsError, FileFormatError

    _ask_for_card(source, commit)
    try:
        builder = load_dataset_builder(str(source.dataset), source.subset, revision=commit)
        if builder.hash != commit:
            raise ConnectionError("`datasets` fell back to another commit")
        builder.download_and_prepare()
    except (DatasetGenerationError, FileFormatError) as error:
        raise _broken(source, commit, error) from error
    except (DatasetsError, ValueError, OSError, httpx2.TransportError) as error:
        if type(error).__module__.startswith("pyarrow"):  # raised when the file's columns are read
            raise _broken(source, commit, error) from error
        raise _no_such_subset(source, error) or hub_fault(source.on_hub(), error) from error
    _check_split(source, list(builder.info.splits or {}))
    rows: Dataset = builder.as_dataset(split=source.split)
    return rows


def _ask_for_card(source: DataSource, commit: str) -> None:
    """Raises UsageError if the hub refuses the data set's card. `datasets` requests it too, but hides the reason and
    uses another commit from its cache."""
    import httpx2
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError, LocalEntryNotFoundError

    try:
        hf_hub_download(str(source.dataset), "README.md", repo_type="dataset", revision=commit)
    except LocalEntryNotFoundError as error:
        raise hub_fault(source.on_hub(), error) from error
    except EntryNotFoundError:
        return
    except (OSError, HFValidationError, httpx2.TransportError) as error:
        raise hub_fault(source.on_hub(), error) from error


def _no_such_subset(source: DataSource, error: BaseException) -> UsageError | None:
    """Returns the error for a missing or unnamed subset; None if the error is another one."""
    listed = re.search(r"^(?:BuilderConfig|Config name is missing).*?\[(.*?)\]", str(error), re.DOTALL)
    if listed is None:
        return None
    problem = "several subsets, and none is named" if source.subset is None else f"no subset {source.subset!r}"
    return UsageError(
        f"the data set has {problem}",
        where=f"data set {source.on_hub()}",
        hint=f"it has {listed[1].replace(chr(39), '')}: set `subset`",
    )


def _broken(source: DataSource, commit: str, error: BaseException) -> UsageError:
    """Returns the error for downloaded files that cannot be read as a table."""
    from datasets.table import CastError
    from huggingface_hub.constants import HF_HUB_CACHE

    if is_unreachable(error):
        return hub_fault(source.on_hub(), error)
    cause = error.__cause__ or error.__context__ or error
    what = f"they differ in their columns: {cause.details()}" if isinstance(cause, CastError) else first_line(cause)
    snapshot = Path(HF_HUB_CACHE) / f"datasets--{str(source.dataset).replace('/', '--')}"
    return UsageError(
        f"the data set's files cannot be read as a table: {what}",
        where=f"data set {source.on_hub()} ({commit})",
        hint=f"delete {snapshot} and fetch again, in case a file is damaged; if that does not help, the commit itself"
        " is broken: set `revision` to another",
    )
