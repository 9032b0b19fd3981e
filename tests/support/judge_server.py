"""A judge's server on this machine, which misbehaves as told."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager

from local_server import Answering, serving


class Say(str):
    """An answer of the judge."""


class Status(int):
    """An HTTP status; `retry_after` is its header."""

    retry_after: str | None = None

    @classmethod
    def asking(cls, status: int, retry_after: str) -> Status:
        made = cls(status)
        made.retry_after = retry_after
        return made


class Garbage(str):
    """A body that is no chat completion."""


SILENT, DROP = object(), object()


class JudgeServer:
    """`behave(question, tries)` says what to do with a question that came `tries` times before."""

    def __init__(self, behave: Callable[[str, int], object]) -> None:
        self.behave = behave
        self.tries: Counter[str] = Counter()
        self.bodies: list[dict] = []
        self.keys: set[str | None] = set()
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.endpoint = ""

    @property
    def requests(self) -> int:
        return self.tries.total()


@contextmanager
def judge_server(behave: Callable[[str, int], object]):
    state = JudgeServer(behave)

    class Handler(Answering):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked = body["messages"][0]["content"]
            with state.lock:
                tries = state.tries[asked]
                state.tries[asked] += 1
                state.bodies.append(body | {"path": self.path})
                state.keys.add(self.headers.get("Authorization"))
            act = state.behave(asked, tries)
            if act is SILENT:
                state.closing.wait(30)
            if act is SILENT or act is DROP:
                self.close_connection = True
            elif isinstance(act, Status):
                self.reply(int(act), b"{}", {"Retry-After": act.retry_after} if act.retry_after else {})
            elif isinstance(act, Garbage):
                self.reply(200, act.encode(), {})
            else:
                self.reply(200, json.dumps({"choices": [{"message": {"content": str(act)}}]}).encode(), {})

    with serving(Handler, state.closing) as address:
        state.endpoint = f"{address}/v1"
        yield state
