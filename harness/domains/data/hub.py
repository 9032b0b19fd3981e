"""Resolves revisions of the hub's models and data sets to commits, and turns its errors into messages.

Importing this module imports no Hugging Face library; a request to the hub does.
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
    """Returns the commit of the source's revision.

    It is requested from the hub once per process, and read from the cache if the hub is unreachable. A revision that is
    a commit needs neither. Raises UsageError if there is no such commit.
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
    """Sets a timeout on those requests of the hub's library that have none, such as the listing of files."""
    from huggingface_hub import get_session

    session = get_session()
    hooks = session.event_hooks
    if _impatient not in hooks["request"]:
        session.event_hooks = {**hooks, "request": [*hooks["request"], _impatient]}


def _impatient(request: httpx2.Request) -> None:
    # A hook, because the library passes "no limit" with each request, which overrides the session's timeout.
    from huggingface_hub import constants

    limits = request.extensions.get("timeout", {})
    for part in ("connect", "read", "write", "pool"):
        if limits.get(part) is None:
            limits[part] = constants.HF_HUB_DOWNLOAD_TIMEOUT
    request.extensions["timeout"] = limits


def cached_commit(source: HubSource) -> str | None:
    """Returns the commit that is cached for the source's revision, or None."""
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
    """Returns whether the environment forbids requests to the hub."""
    return any(os.environ.get(name, "").lower() in _TRUE for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"))


def is_unreachable(error: BaseException) -> bool:
    """Returns whether the hub could not be reached or did not answer."""
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled

    kinds = (httpx2.TransportError, OfflineModeIsEnabled, ConnectionError, TimeoutError)
    return any(isinstance(link, kinds) for link in _chain(error))


def _was_cut(error: BaseException) -> bool:
    import httpx2

    return any(isinstance(link, httpx2.RemoteProtocolError | httpx2.ReadError) for link in _chain(error))


def hub_fault(source: HubSource, error: BaseException) -> UsageError:
    """Returns the error to raise if `source` cannot be fetched, with a hint."""
    message, hint = _told(source, error)
    return UsageError(message, where=f"{source.noun} {source}", hint=hint)


def _told(source: HubSource, error: BaseException) -> tuple[str, str]:
    from huggingface_hub import constants

    page = f"{constants.ENDPOINT}/{'datasets/' if source.kind == 'dataset' else ''}{source.name}"
    status = status_of(error)
    refused = _refusal(source, error, page)
    if refused is not None:
        return refused
    if is_offline():
        message = f"the {source.noun} is not in the cache, and HARNESS_OFFLINE or HF_HUB_OFFLINE forbids downloads"
        hint = "unset them and run `harness prefetch` once with the network, or give local files"
    elif status in (401, 403):
        message = f"the hub refuses the {source.noun} ({status})"
        hint = f"see {page}; log in again with `hf auth login`"
    elif status is not None:
        message = f"the hub at {constants.ENDPOINT} answered {status}"
        hint = "the hub has a problem, or limits your requests: try again later"
    elif _was_cut(error):
        message = f"the download was interrupted: {first_line(error)}"
        hint = "run the command again, the download resumes; if it is interrupted each time, check the network"
    elif is_unreachable(error):
        message = f"the hub at {constants.ENDPOINT} cannot be reached, and the cache has no such {source.noun}"
        hint = "check the network and run `harness prefetch`; or give local files"
    else:
        message = f"the {source.noun} cannot be fetched: {first_line(error)}"
        hint = "check its name and the keys beside it; or give local files"
    return message, hint


def _refusal(source: HubSource, error: BaseException, page: str) -> tuple[str, str] | None:
    """Returns the message and hint for an error that the hub names; None for any other."""
    from huggingface_hub.errors import (
        DisabledRepoError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    noun, login = source.noun, "log in with `hf auth login`"
    messages: dict[type[BaseException], tuple[str, str]] = {
        GatedRepoError: (f"the {noun} is gated", f"accept its terms on {page}, then {login}"),
        RevisionNotFoundError: (
            f"the {noun} has no revision {source.revision!r}",
            f"take `revision` from {page}/commits/main",
        ),
        DisabledRepoError: (f"the hub has disabled the {noun}", f"see {page}; choose another, or give local files"),
        RepositoryNotFoundError: (
            f"the hub has no such {noun}, or it is not visible to you",
            f"check the name; if it is private, {login}",
        ),
    }
    links = list(_chain(error))
    for (
        kind,
        message_and_hint,
    ) in messages.items():  # GatedRepoError is a subclass of RepositoryNotFoundError, so it comes first
        if any(isinstance(link, kind) for link in links):
            return message_and_hint
    return messages[GatedRepoError] if any(_GATED.search(str(link)) for link in links) else None


def status_of(error: BaseException) -> int | None:
    """Returns the status with which the hub refused a request, None if it did not answer."""
    from huggingface_hub.errors import HfHubHTTPError

    for link in _chain(error):
        if isinstance(link, HfHubHTTPError):
            return link.response.status_code
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields the error and its causes, including those that a library hid with `from None`."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def first_line(error: BaseException) -> str:
    """Returns the first line of the error's message, or its type's name."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
