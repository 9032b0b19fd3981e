"""The hub's models and data sets: which commit a revision is, and what a refusal means for the person who reads it.

Importing this imports no library of Hugging Face's; asking the hub does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.plugin.hub_source import HubSource

if TYPE_CHECKING:
    import httpx2

_GATED = re.compile(r"\bgated (dataset|repo)\b", re.IGNORECASE)
_TRUE = frozenset({"1", "true", "yes", "on"})


def commit_of(source: HubSource) -> str:
    """Returns the commit that the source's revision is: asked of the hub once a process, of the cache where the hub is
    out of reach, and of neither for a commit.

    Raises UsageError where there is none, saying what to do.
    """
    if source.pinned and source.revision:
        limit_patience()
        return source.revision
    return _resolved(source)


@cache
def _resolved(source: HubSource) -> str:
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RevisionResolutionError

    limit_patience()
    try:
        return str(HfApi().resolve_revision(source.name, repo_type=source.kind, revision=source.revision).resolved)
    except (HFValidationError, RevisionResolutionError, OSError, httpx2.TransportError) as error:
        raise hub_fault(source, error) from error


def limit_patience() -> None:
    """Limits how long the hub's library waits for an answer where it would wait for ever, as for a list of files."""
    from huggingface_hub import get_session

    session = get_session()
    hooks = session.event_hooks
    if _impatient not in hooks["request"]:
        session.event_hooks = {**hooks, "request": [*hooks["request"], _impatient]}


def _impatient(request: httpx2.Request) -> None:
    # A hook, since the library says "no limit" with each request, which outdoes the session's own.
    from huggingface_hub import constants

    limits = request.extensions.get("timeout", {})
    for part in ("connect", "read", "write", "pool"):
        if limits.get(part) is None:
            limits[part] = constants.HF_HUB_DOWNLOAD_TIMEOUT
    request.extensions["timeout"] = limits


def cached_commit(source: HubSource) -> str | None:
    """Returns the commit that the cache on this machine holds for the source's revision; None where it holds none."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RevisionResolutionError

    try:
        resolved = HfApi().resolve_revision(
            source.name, repo_type=source.kind, revision=source.revision, local_files_only=True
        )
    except (HFValidationError, RevisionResolutionError, OSError):
        return None
    return str(resolved.resolved)


def is_offline() -> bool:
    """Returns whether the environment forbids asking the hub."""
    return any(os.environ.get(name, "").lower() in _TRUE for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"))


def is_unreachable(error: BaseException) -> bool:
    """Returns whether the hub was not reached at all, or was silent."""
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled

    kinds = (httpx2.TransportError, OfflineModeIsEnabled, ConnectionError, TimeoutError)
    return any(isinstance(link, kinds) for link in _chain(error))


def _was_cut(error: BaseException) -> bool:
    import httpx2

    return any(isinstance(link, httpx2.RemoteProtocolError | httpx2.ReadError) for link in _chain(error))


def hub_fault(source: HubSource, error: BaseException) -> UsageError:
    """Returns what a failure to fetch `source` means, and what to do about it."""
    message, hint = _told(source, error)
    return UsageError(message, where=f"{source.noun} {source}", hint=hint)


def _told(source: HubSource, error: BaseException) -> tuple[str, str]:
    from huggingface_hub import constants

    page = f"{constants.ENDPOINT}/{'datasets/' if source.kind == 'dataset' else ''}{source.name}"
    status = _status(error)
    refused = _refusal(source, error, page)
    if refused is not None:
        return refused
    if is_offline():
        told = f"the {source.noun} is not in the cache, and HARNESS_OFFLINE or HF_HUB_OFFLINE forbids to fetch it"
        hint = "unset them and run `harness prefetch` once with the network, or give local files"
    elif status in (401, 403):
        told = f"the hub refuses the {source.noun} ({status})"
        hint = f"see {page}; log in anew with `hf auth login`"
    elif status is not None:
        told = f"the hub at {constants.ENDPOINT} answered {status}"
        hint = "this is its own trouble, or its limit for you: try again later"
    elif _was_cut(error):
        told = f"the download broke off: {first_line(error)}"
        hint = "run it again, it goes on from what has arrived; where it breaks off each time, check the network"
    elif is_unreachable(error):
        told = f"the hub at {constants.ENDPOINT} cannot be reached, and the cache has no such {source.noun}"
        hint = "check the network, then run `harness prefetch` while there is one; or give local files"
    else:
        told = f"the {source.noun} cannot be had: {first_line(error)}"
        hint = "check its name and the keys beside it; or give local files"
    return told, hint


def _refusal(source: HubSource, error: BaseException, page: str) -> tuple[str, str] | None:
    """Returns what the hub's own answer means; None where it gave none of those that it has a name for."""
    from huggingface_hub.errors import (
        DisabledRepoError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    noun, login = source.noun, "log in with `hf auth login`"
    told: dict[type[BaseException], tuple[str, str]] = {
        GatedRepoError: (f"the {noun} is gated", f"accept its terms on {page}, then {login}"),
        RevisionNotFoundError: (
            f"the {noun} has no revision {source.revision!r}",
            f"take `revision` from {page}/commits/main",
        ),
        DisabledRepoError: (f"the hub has disabled the {noun}", f"see {page}; name another, or give local files"),
        RepositoryNotFoundError: (
            f"the hub has no such {noun}, or does not show it to you",
            f"check the name; for a private one {login}",
        ),
    }
    links = list(_chain(error))
    for kind, message_and_hint in told.items():  # a gated repository is one that is not found, so it comes first
        if any(isinstance(link, kind) for link in links):
            return message_and_hint
    return told[GatedRepoError] if any(_GATED.search(str(link)) for link in links) else None


def _status(error: BaseException) -> int | None:
    from huggingface_hub.errors import HfHubHTTPError

    for link in _chain(error):
        if isinstance(link, HfHubHTTPError):
            return link.response.status_code
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields the error and what led to it, also where a library hid that with `from None`."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def first_line(error: BaseException) -> str:
    """Returns the first line of what the error says, or its type's name."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
