"""A hub that repositories are pushed to: it answers the requests of creating, uploading and committing, asks for a
token, and breaks connections as told."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import hub_server
from hub_server import Hub, Repository
from local_server import serving

LARGE = 200
"""The size in bytes from which a file is uploaded apart from the commit."""


class WritableHub(Hub):
    """tokens: the organizations that each may write to. breaks: requests `METHOD path` whose connection is cut, before
    they have an effect, by the number of times. loses: the same, after they had their effect. asked_in_vain: set by the
    first request that `silent` leaves without an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: dict[str, set[str]] = {}
        self.breaks: dict[str, int] = {}
        self.loses: dict[str, int] = {}
        self.objects: dict[str, bytes] = {}
        self.commits: list[tuple[str, str]] = []
        self.private: set[str] = set()
        self.bodies: list[bytes] = []
        self.asked_in_vain = threading.Event()

    def files(self, name: str) -> dict[str, bytes]:
        """Returns the files of the main branch."""
        repository = self.repositories[name]
        return dict(repository.states[repository.branches["main"]])


class _Handler(hub_server._Handler):
    hub: WritableHub

    do_PUT = hub_server._Handler.do_GET

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        line = f"{self.command} {path}"
        route = self._route(path)
        if route is None:
            super()._serve()
            return
        asked = self._body()
        self.hub.requests.append(line)
        self.hub.bodies.append(asked)
        if self.hub.silent is not None and re.search(self.hub.silent, path):
            self.hub.asked_in_vain.set()
            self.hub.closing.wait(120)
            self.close_connection = True
            return
        if self._is_due(self.hub.breaks, line):
            self.close_connection = True
            return
        try:
            self._authorize(path)
            answer = route(path, asked)
        except hub_server._Answer as refusal:
            headers = {"X-Error-Code": refusal.code, "X-Error-Message": refusal.message}
            body = json.dumps({"error": refusal.message, "url": f"{self.hub.endpoint}/already/there"}).encode()
            headers["Content-Type"] = "application/json"
            self.reply(refusal.status, body, {name: value for name, value in headers.items() if value})
            return
        if self._is_due(self.hub.loses, line):
            self.close_connection = True
            return
        self.reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _is_due(self, faults: dict[str, int], line: str) -> bool:
        for part, times in faults.items():
            if part in line and times > 0:
                faults[part] = times - 1
                return True
        return False

    def _route(self, path: str):
        ends = {
            "/api/repos/create": self._create,
            "/api/validate-yaml": lambda path, asked: {"errors": [], "warnings": []},
        }
        if path in ends:
            return ends[path]
        for part, route in {
            "/preupload/": self._preupload,
            ".git/info/lfs/objects/batch": self._batch,
            "/objects/": self._object,
            "/commit/": self._commit,
            "/tree/": self._tree,
        }.items():
            if part in path:
                return route
        return None

    def _authorize(self, path: str) -> None:
        if path.startswith("/objects/"):
            return  # its address is the permission
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in self.hub.tokens:
            raise hub_server._Answer(401, "", "Invalid credentials in Authorization header")
        self.allowed = self.hub.tokens[token]

    def _may_write(self, name: str) -> None:
        if name.split("/", maxsplit=1)[0] not in self.allowed:
            raise hub_server._Answer(403, "", f"You don't have the rights to write to {name}")

    def _create(self, path: str, asked: bytes) -> object:
        wanted = json.loads(asked)
        name = f"{wanted['organization']}/{wanted['name']}"
        self._may_write(name)
        place = f"{wanted.get('type') or 'model'}s/{name}"
        if place in self.hub.repositories:
            raise hub_server._Answer(409, "", "You already created this repo")
        self.hub.repositories[place] = Repository()
        self.hub.repositories[place].push({".gitattributes": b"*.safetensors filter=lfs\n"})
        if wanted.get("visibility") == "private":
            self.hub.private.add(place)
        return {"url": f"{self.hub.endpoint}/{name}", "name": name}

    def _place(self, path: str) -> tuple[str, Repository]:
        kind, organization, name = path.split("/")[2:5]
        self._may_write(f"{organization}/{name}")
        place = f"{kind}/{organization}/{name}"
        return place, self.hub.repositories[place]

    def _preupload(self, path: str, asked: bytes) -> object:
        place, _ = self._place(path)
        present = self.hub.files(place)
        files = []
        for one in json.loads(asked)["files"]:
            mode = "lfs" if one["size"] >= LARGE else "regular"
            answer = {"path": one["path"], "uploadMode": mode, "shouldIgnore": False}
            if one["path"] in present:
                answer["oid"] = _oid(present[one["path"]], mode)
            files.append(answer)
        return {"files": files}

    def _batch(self, path: str, asked: bytes) -> object:
        objects = []
        for one in json.loads(asked)["objects"]:
            answer = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.hub.objects:
                answer["actions"] = {"upload": {"href": f"{self.hub.endpoint}/objects/{one['oid']}"}}
            objects.append(answer)
        return {"transfer": "basic", "objects": objects}

    def _object(self, path: str, asked: bytes) -> object:
        assert hashlib.sha256(asked).hexdigest() == path.rpartition("/")[2]
        self.hub.objects[path.rpartition("/")[2]] = asked
        return {}

    def _commit(self, path: str, asked: bytes) -> object:
        place, repository = self._place(path)
        files, summary = self.hub.files(place), ""
        for line in map(json.loads, asked.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                summary = value["summary"]
                if value.get("parentCommit") not in (None, repository.branches["main"]):
                    raise hub_server._Answer(412, "", "A commit has happened since.")
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            else:
                del files[value["path"]]
        commit = repository.push(files)
        self.hub.commits.append((place, summary))
        url = f"{self.hub.endpoint}/{place.removeprefix('models/')}/commit/{commit}"
        return {"commitUrl": url, "commitOid": commit, "success": True}

    def _tree(self, path: str, asked: bytes) -> object:
        kind, organization, name = path.split("/")[2:5]
        _, _, files = self._state(f"{kind}/{organization}/{name}", "main")
        return [hub_server._entry(path, content) for path, content in files.items()]


def _oid(content: bytes, mode: str) -> str:
    """Returns the hash by which the hub identifies a file: sha256 for a large file, git's sha1 for a small one."""
    if mode == "lfs":
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@contextmanager
def writable_hub() -> Iterator[WritableHub]:
    """Yields a hub that listens until the block ends."""
    hub = WritableHub()
    with serving(type("Handler", (_Handler,), {"hub": hub}), hub.closing) as hub.endpoint:
        yield hub
