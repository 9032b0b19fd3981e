"""OpenAI-compatible servers: one that the harness starts for a checkpoint, or one whose URL the protocol gives."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import StepFailed, UsageError
from harness.protocol.backends import MODEL, PORT

STARTING_SECONDS = 900
"""How long a server may take to load its model."""
_POLL_SECONDS = 0.2
_REPLY_SECONDS = 300
_LAST_LINES = 3
_ENDING_SECONDS = 10
_FATE_SECONDS = 1
_CHILD = (
    "import os, sys; from harness._util.parent_process import end_with; end_with(int(sys.argv[1]));"
    " os.execv(sys.argv[2], sys.argv[2:])"
)
"""Starts a program that the kernel ends together with this process."""


class OwnServer:
    """A server of one checkpoint, started by a command with `{model}` and `{port}`.

    Raises UsageError if the program does not exist, StepFailed if the server ends or does not answer in time.
    """

    def __init__(self, command: Sequence[str], model: Path) -> None:
        port = _free_port()
        words = [word.replace(MODEL, str(model)).replace(PORT, str(port)) for word in command]
        self.command = " ".join(words)
        self.root = f"http://127.0.0.1:{port}/v1"
        _ask_directly()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the server
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(os.getpid()), _program(words[0]), *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its workers end with it
        )
        try:
            self._wait(str(model))
        except BaseException:
            self.stop()
            raise

    @property
    def runs(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def fate(self) -> str:
        """Returns what happened to the server, with the last lines of its output."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_FATE_SECONDS)  # its socket closes before it ends
        code = self._process.poll()
        how = "still runs" if code is None else f"ended with code {code}" if code >= 0 else f"ended by signal {-code}"
        self._log.seek(0)
        lines = [line.strip() for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        said = " | ".join(lines[-_LAST_LINES:])
        return f"the server `{self.command}` {how}{f': {said}' if said else ''}"

    def stop(self) -> None:
        """Ends the server and its workers."""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, sent)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_ENDING_SECONDS)
                break
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # workers that outlived it
        self._log.close()

    def _wait(self, model: str) -> None:
        import httpx2

        deadline = time.monotonic() + STARTING_SECONDS
        while self.runs and time.monotonic() < deadline:
            with suppress(httpx2.HTTPError):
                reply = ask(self.root, model)
                if reply.status_code < 500:
                    if reply.is_error:
                        raise StepFailed(f"the server `{self.command}` refuses its model: {reply.text[:300]}")
                    return
            time.sleep(_POLL_SECONDS)
        raise StepFailed(self.fate(), hint="start it by hand to see all of its output")


_running: dict[tuple[Any, ...], OwnServer] = {}
"""The server of the last checkpoint, by the state of its files and its command."""


def server_of(state: tuple[Any, ...], command: Sequence[str], model: Path) -> OwnServer:
    """Returns the running server of a checkpoint, started if necessary. Ends the server of another checkpoint."""
    key = (*state, tuple(command), model)
    if key not in _running or not _running[key].runs:
        stop_server()
        _running[key] = OwnServer(command, model)
    return _running[key]


@atexit.register
def stop_server() -> None:
    """Ends the server that this process started, if there is one."""
    while _running:
        _running.popitem()[1].stop()


def root_of(base_url: str) -> str:
    """Returns the URL up to `/v1`, without the name of an endpoint."""
    root = base_url.rstrip("/")
    for endpoint in ("/chat/completions", "/completions"):
        root = root.removesuffix(endpoint)
    return root


def ask(root: str, model: str, **body: Any) -> Any:
    """Returns the reply to a request for one token. Raises httpx2.HTTPError if there is none."""
    import httpx2

    key = os.environ.get("OPENAI_API_KEY", "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = {"model": model, "prompt": "a", "max_tokens": 1, "temperature": 0, **body}
    return httpx2.post(f"{root}/completions", json=request, headers=headers, timeout=_REPLY_SECONDS)


def check_serves(root: str, model: Path) -> bool:
    """Returns whether the server is `transformers serve`.

    Raises UsageError unless it answers for the checkpoint in `model` and not for a name that does not exist: a server
    that ignores the name of the model would score the wrong weights.
    """
    import httpx2

    hint = (
        "a server for all checkpoints must load the folder that a request names as its model (`transformers serve`"
        " without a model does); remove base_url to start one for each checkpoint"
    )
    try:
        own, other = ask(root, str(model)), ask(root, f"{model}-is-not-this-one")
    except httpx2.HTTPError as error:
        raise UsageError(
            f"the server does not answer: {type(error).__name__}: {error}",
            where=root,
            hint="start it, or remove base_url, so that the harness starts one for each checkpoint",
        ) from error
    if own.is_error:
        raise UsageError(f"the server does not serve the checkpoint {model}: {own.text[:300]}", where=root, hint=hint)
    if not other.is_error:
        raise UsageError(
            "the server answers for models that do not exist, so it may score other weights than the checkpoint's",
            where=root,
            hint=hint,
        )
    return str(own.json().get("model")).startswith(f"{model}@")  # it adds the revision


def gives_log_likelihoods(root: str, model: Path) -> bool:
    """Returns whether the server gives the log-probabilities of a prompt, as lm-eval asks for them."""
    reply = ask(root, str(model), prompt="a a", logprobs=1, echo=True)
    try:
        return not reply.is_error and bool(reply.json()["choices"][0]["logprobs"]["token_logprobs"])
    except (ValueError, KeyError, TypeError, IndexError):
        return False


def _program(name: str) -> str:
    """Returns the path of a program on PATH or beside the running Python. Raises UsageError if there is none."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        raise UsageError(f"there is no program {name!r}", where="evaluate.serve", hint="give its path, or install it")
    return found


def _ask_directly() -> None:
    """Excludes servers of this machine from the proxy that the environment may name."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        if "127.0.0.1" not in hosts:
            os.environ[name] = ",".join([*hosts, "127.0.0.1"])


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
