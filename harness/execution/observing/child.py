"""Starts and ends the process of a run's observers."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.execution.observing.process import Request

COMMAND = [sys.executable, "-m", "harness.execution.observing.process"]

PATIENCE, PATIENCE_AFTER_STOP = 60.0, 4.0
"""Seconds for the last points, at the end of a run and after an interrupt."""


@contextmanager
def observing(
    observers: Mapping[str, Mapping[str, Any]],
    folder: Path,
    store: Path,
    note: Callable[[str], None],
    *,
    global_arguments: Sequence[str] = (),
) -> Iterator[None]:
    """Lets observers follow the run in `folder` during the block, in a process of their own.

    observers: their configs by name; none: does nothing. store: the root of the store. note: receives warnings.
    global_arguments: of the command, which may skip plugins by `--without`. The process ends when this one does,
    however that happens.
    """
    if not observers:
        yield
        return
    configs = {name: dict(config) for name, config in observers.items()}
    without = tuple(value for option, value in pairwise(global_arguments) if option == "--without")
    request = Request(folder=str(folder.absolute()), store=str(store.absolute()), observers=configs, without=without)
    child = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Ctrl-C reaches the run, which then ends its observers
    )
    reader = threading.Thread(target=_pass_on, args=(child, note), daemon=True)
    reader.start()
    patience = PATIENCE_AFTER_STOP
    try:
        assert child.stdin is not None
        with suppress(OSError):  # it has died: reported below
            child.stdin.write(json.dumps(asdict(request)) + "\n")
            child.stdin.flush()
        yield
        patience = PATIENCE
    finally:
        _end(child, patience, note)
        reader.join(timeout=patience)


def _pass_on(child: subprocess.Popen[str], note: Callable[[str], None]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        note(f"warning: {line.strip()}")


def _end(child: subprocess.Popen[str], patience: float, note: Callable[[str], None]) -> None:
    assert child.stdin is not None
    with suppress(OSError):
        child.stdin.close()
    try:
        code = child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        note("warning: the observers did not end in time; the next run of the protocol continues their curves")
    else:
        if code:
            note(f"warning: the process of the observers ended with code {code}")
