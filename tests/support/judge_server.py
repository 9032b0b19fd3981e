"""A judge's server on this machine, which misbehaves as told."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

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

        def reply(self, status, body, headers):
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    state.endpoint = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
