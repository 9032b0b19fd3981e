"""Fetches a model's files from the hub, at one commit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.data.hub import HubSource, commit_of, hub_fault


def fetch_model(source: HubSource, files: Sequence[str]) -> Path:
    """Returns the cache's folder with those of the model's files that match one of the patterns `files`.

    A commit that is in the cache whole is not asked for. Raises UsageError where it cannot be had, with what to do.
    """
    import httpx2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    commit = commit_of(source)
    try:
        return Path(snapshot_download(source.name, revision=commit, allow_patterns=list(files)))
    except (OSError, HFValidationError, httpx2.TransportError) as error:
        raise hub_fault(source, error) from error
