"""A hub of models and data sets on this machine, which answers the routes that Hugging Face's libraries ask, and
misbehaves as told."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from local_server import Answering, serving

_API = re.compile(r"^/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?$")
_FILE = re.compile(r"^/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")


def commit_of(files: Mapping[str, bytes]) -> str:
    """Returns the forty hexadecimal digits that stand for a state of a repository."""
    digest = hashlib.sha1(usedforsecurity=False)
    for path, content in sorted(files.items()):
        digest.update(path.encode() + b"\0" + content)
    return digest.hexdigest()


@dataclass
class Repository:
    """A repository: its states by commit, its branches, and its fault.

    gated: the status with which files are refused. cut: paths whose content ends in the middle.
    """

    states: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    gated: int | None = None
    cut: set[str] = field(default_factory=set)

    def push(self, files: Mapping[str, bytes], branch: str = "main") -> str:
        """Makes `files` the state of `branch`; returns its commit."""
        commit = commit_of(files)
        self.states[commit] = dict(files)
        self.branches[branch] = commit
        return commit

    def commit(self, revision: str) -> str | None:
        return revision if revision in self.states else self.branches.get(revision)


class Hub:
    """`repositories` by `datasets/owner/name` or `models/owner/name`. Requests that `silent` finds in their path are
    never answered; with `status`, all are answered with it."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self.silent: str | None = None
        self.status: int | None = None
        self.endpoint = ""
        self.closing = threading.Event()

    def push(self, name: str, files: Mapping[str, bytes], branch: str = "main") -> str:
        """Makes `files` the state of a repository's branch; returns its commit."""
        return self.repositories.setdefault(name, Repository()).push(files, branch)


class _Answer(Exception):
    """What is answered in the place of what was asked for."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        self.status, self.code, self.message = status, code, message


class _Handler(Answering):
    hub: Hub

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_GET

    def _serve(self) -> None:
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        if self.hub.silent is not None and re.search(self.hub.silent, path):
            self.hub.closing.wait(120)
            self.close_connection = True
            return
        try:
            if self.hub.status is not None:
                raise _Answer(self.hub.status)
            if match := _API.match(path):
                self._api(match, asked)
            elif match := _FILE.match(path):
                self._file(*match.groups())
            else:
                raise _Answer(404)
        except _Answer as answer:
            headers = {"X-Error-Code": answer.code, "X-Error-Message": answer.message}
            self.reply(answer.status, b"{}", {name: value for name, value in headers.items() if value})

    def _state(self, name: str, revision: str) -> tuple[Repository, str, Mapping[str, bytes]]:
        repository = self.hub.repositories.get(name)
        if repository is None:
            # The hub does not tell a stranger whether a repository is missing or private.
            raise _Answer(401, "RepoNotFound", "Invalid username or password.")
        commit = repository.commit(revision)
        if commit is None:
            raise _Answer(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repository, commit, repository.states[commit]

    def _api(self, match: re.Match[str], asked: bytes) -> None:
        kind, name, verb, revision, below = match.groups()
        _, commit, files = self._state(f"{kind}/{name}", revision or "main")
        if verb in (None, "revision"):
            siblings = [{"rfilename": path} for path in files]
            answer: object = {"id": name, "_id": "1", "sha": commit, "private": False, "siblings": siblings, "tags": []}
        elif verb == "tree":
            folder = f"{below}/" if below else ""
            found = {path: files[path] for path in files if path.startswith(folder)}
            if folder and not found:
                raise _Answer(404, "EntryNotFound", f"{below} does not exist")
            folders = {folder + path[len(folder) :].partition("/")[0] for path in found if "/" in path[len(folder) :]}
            answer = [_entry(path, files[path]) for path in found if path.rpartition("/")[0] not in folders]
            answer += [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in sorted(folders)]
        else:
            wanted = _paths(asked)
            answer = [_entry(path, files[path]) for path in files if path in wanted]
        self.reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _file(self, dataset: str | None, name: str, revision: str, path: str) -> None:
        repository, commit, files = self._state(f"{'datasets' if dataset else 'models'}/{name}", revision)
        if repository.gated is not None:
            raise _Answer(repository.gated, "GatedRepo", f"Access to {name} is restricted.")
        if path not in files:
            raise _Answer(404, "EntryNotFound", "Entry not found")
        content = files[path]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{_blob(content)}"', "Accept-Ranges": "bytes"}
        self.reply(200, content, headers, cut=path in repository.cut)


def _blob(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _entry(path: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": path, "size": len(content), "oid": _blob(content)}


def _paths(asked: bytes) -> set[str]:
    try:
        paths = json.loads(asked)["paths"]
    except ValueError:
        paths = [unquote(part.partition("=")[2]) for part in asked.decode().split("&") if part.startswith("paths=")]
    return {paths} if isinstance(paths, str) else set(paths)


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Yields a hub that listens until the block ends."""
    hub = Hub()
    with serving(type("Handler", (_Handler,), {"hub": hub}), hub.closing) as hub.endpoint:
        yield hub
