"""Fetches files from the hub at one commit: those of a model, or a single file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.domains.data.hub import commit_of, hub_fault
from harness.errors import UsageError
from harness.plugin.hub_source import HubSource


def fetch_model(source: HubSource, files: Sequence[str]) -> Path:
    """Returns the cache's folder with the model's files that match one of the patterns `files`.

    If the cache has the whole commit, the hub is not asked. Raises UsageError with a hint if the files cannot be
    fetched.
    """
    import httpx2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    commit = commit_of(source)
    try:
        return Path(snapshot_download(source.name, revision=commit, allow_patterns=list(files)))
    except (OSError, HFValidationError, httpx2.TransportError) as error:
        raise hub_fault(source, error) from error


def fetch_file(source: HubSource, path: str) -> Path:
    """Returns the cache's copy of one file. Raises UsageError with a hint if it cannot be fetched."""
    import httpx2
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError, LocalEntryNotFoundError

    commit = commit_of(source)
    try:
        return Path(hf_hub_download(source.name, path, repo_type=source.kind, revision=commit))
    except LocalEntryNotFoundError as error:
        raise hub_fault(source, error) from error
    except EntryNotFoundError as error:
        raise UsageError(
            f"the {source.noun} has no file {path}",
            where=f"{source.noun} {source}",
            hint="check the file's name, or set `revision` to a commit that has it",
        ) from error
    except (OSError, HFValidationError, httpx2.TransportError) as error:
        raise hub_fault(source, error) from error
