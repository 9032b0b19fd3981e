"""Uploads files to a repository of the Hugging Face Hub as one commit, and turns its errors into messages.

The token is the one of `hf auth login` or `HF_TOKEN`. It is passed to the hub's library only: it is in no message, file
or argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import HarnessError, UsageError

Kind = Literal["model", "dataset"]
Files = Mapping[str, Path | bytes]
_NOUNS = {"model": "model", "dataset": "data set"}
_AGAIN = "nothing was published, since a push is one commit: run the same command again"


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository of the hub that can be pushed to: its name, its kind, and the token of this user."""

    name: str
    kind: Kind
    token: str

    def __repr__(self) -> str:
        return f"Repository({self.name!r}, {self.kind!r})"


def repository_of(name: str, kind: Kind) -> Repository:
    """Returns the repository `ORG/NAME`. Sends no request.

    Raises UsageError if the name is not one of a repository, requests are forbidden, or there is no token.
    """
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    from harness.domains.data.hub import is_offline

    try:
        validate_repo_id(name)
        named = name.count("/") == 1
    except HFValidationError:
        named = False
    if not named:
        raise UsageError(
            f"{name!r} is not a repository of the hub",
            where="--push" if kind == "model" else "leaderboard push",
            hint="give it as ORG/NAME: letters, digits, '-', '_' and '.', up to 96 of them",
        )
    if is_offline():
        raise UsageError(
            "HARNESS_OFFLINE or HF_HUB_OFFLINE forbids requests to the hub", where=name, hint="unset it to push"
        )
    token = get_token()
    if not token:
        raise UsageError(
            "you are not logged in to the hub",
            where=name,
            hint="`hf auth login`, or set HF_TOKEN, with a token that may write",
        )
    return Repository(name=name, kind=kind, token=token)


def push_files(
    repository: Repository,
    contents: Callable[[Sequence[str]], Files],
    *,
    message: str,
    private: bool,
    replaced: Callable[[str], bool],
) -> str:
    """Makes the repository contain files, in one commit, and returns the address of its newest commit.

    The repository is created if necessary. An interrupted push publishes nothing, and pushing the same files again adds
    no commit.

    contents: returns the files by path, from the paths that the repository has. replaced: whether a file of the
    repository that is not among them goes, by its path. Raises UsageError if the hub refuses or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    name, kind = repository.name, repository.kind
    api = HfApi(token=repository.token, library_name="mdrl-harness")
    with _messages(repository):
        api.create_repo(name, repo_type=kind, private=private or None, exist_ok=True)
        head = api.repo_info(name, repo_type=kind).sha
        present = api.list_repo_files(name, repo_type=kind, revision=head)
        files = contents(present)
        gone = [path for path in sorted(present) if path not in files and replaced(path)]
        commit = api.create_commit(
            name,
            [
                *(CommitOperationDelete(path_in_repo=path) for path in gone),
                *(CommitOperationAdd(path_in_repo=path, path_or_fileobj=files[path]) for path in sorted(files)),
            ],
            commit_message=message,
            repo_type=kind,
            parent_commit=head,  # somebody else's commit in between is an error
        )
        return str(commit.commit_url)


@contextmanager
def _messages(repository: Repository) -> Iterator[None]:
    """Raises UsageError without the token in place of what the hub's library raises."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        message, hint = _told(repository, error)
        # `from None`: the library's error holds the request with its headers.
        raise UsageError(message.replace(repository.token, "…"), where=repository.name, hint=hint) from None


def _told(repository: Repository, error: Exception) -> tuple[str, str]:
    from huggingface_hub import constants

    from harness.domains.data.hub import first_line, is_unreachable, status_of

    noun, status = _NOUNS[repository.kind], status_of(error)
    page = f"{constants.ENDPOINT}/settings/tokens"
    messages = {
        401: ("the hub does not accept your token", f"log in again with `hf auth login`; your tokens: {page}"),
        403: (
            f"your token may not write to the {noun} {repository.name}",
            f"choose a name of your own or of an organization of yours; a token needs the right to write: {page}",
        ),
        404: (f"there is no {noun} {repository.name}, or it is not visible to you", "check the name"),
        412: (f"the {noun} has changed during the push", _AGAIN),
        429: ("the hub limits your requests", f"wait a while; {_AGAIN}"),
    }
    if status in messages:
        return messages[status]
    if status is not None:
        return f"the hub at {constants.ENDPOINT} answered {status}", _AGAIN
    if is_unreachable(error):
        return f"the hub at {constants.ENDPOINT} cannot be reached", f"check the network; {_AGAIN}"
    return f"the files cannot be pushed: {first_line(error)}", _AGAIN
