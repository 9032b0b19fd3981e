"""The process of a run's observers: `python -m harness.execution.observing.process`.

It reads one JSON line from standard input, then follows the run until standard input ends, which it also does when the
run is killed. It then passes on the rest and ends. Each line that it prints is a message for the user.
"""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness._util.environment import prepare_process
from harness.errors import HarnessError

SECONDS_BETWEEN_LOOKS = 2.0
OUTPUT = "observers.log"
"""A file of the run folder with what libraries of the observers print."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to follow. folder: of the run. store: the root of the store. observers: their configs by name. without:
    distributions whose plugins are skipped."""

    folder: str
    store: str
    observers: dict[str, dict[str, Any]]
    without: tuple[str, ...] = ()


def main() -> None:
    """Follows a run until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run decides when its observers end
    prepare_process(debug=False)
    with open(0, "rb", buffering=0, closefd=False) as unbuffered:  # `select` knows nothing of buffers
        request = Request(**json.loads(unbuffered.readline()))
    report = os.fdopen(os.dup(1), "w", buffering=1)
    try:
        _follow(request, lambda text: print(" ".join(text.split()), file=report))
    except HarnessError as error:
        print(" ".join(str(error).split()), file=report)


def _follow(request: Request, failed: Callable[[str], None]) -> None:
    from harness.execution.observing.chosen import builders
    from harness.execution.observing.following import Following
    from harness.execution.run_folder import PLAN
    from harness.execution.store import Store
    from harness.planning.serialization import read_plan
    from harness.plugin.registry import Registry

    folder, following, ended = Path(request.folder), None, False
    while not ended:
        ended = _input_ends(0.1 if following is None else SECONDS_BETWEEN_LOOKS)
        if following is None:
            if not (folder / PLAN).is_file():
                continue  # the run is being checked, or was refused
            _print_to(folder / OUTPUT)
            build = builders(request.observers, Registry.discover(without=request.without))
            following = Following(folder, Store(Path(request.store)), read_plan(folder / PLAN), build, failed)
        following.update()
    if following is not None:
        following.close()


def _input_ends(seconds: float) -> bool:
    """Returns whether standard input ends within some seconds."""
    return bool(select.select([0], [], [], seconds)[0]) and not os.read(0, 1)


def _print_to(path: Path) -> None:
    with path.open("ab") as log:
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)


if __name__ == "__main__":
    main()
