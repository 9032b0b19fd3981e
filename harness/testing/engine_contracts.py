"""Contract checks of engines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from functools import partial
from pathlib import Path

from harness.errors import HarnessError, StepFailed
from harness.plugin.capacity import Capacity
from harness.plugin.engine_interface import Engine, NodeRequest
from harness.testing.requirement import require

_ARGUMENTS = """
import pathlib, sys
place = pathlib.Path(sys.argv[1]) / sys.argv[2]
if sys.argv[2] == "bad":
    raise SystemExit(1)
place.mkdir(parents=True)
(place / "made").touch()
"""
"""In the place of `harness exec-node`. Arguments: the store and the key."""
_WORKER = """
import json, pathlib, sys
for line in sys.stdin:
    key = json.loads(line)["key"]
    if key == "bad":
        message = {"event": "failed", "kind": "StepFailed", "message": "fails on purpose", "where": "", "hint": ""}
    else:
        place = pathlib.Path(sys.argv[1]) / key
        place.mkdir(parents=True)
        (place / "made").touch()
        message = {"event": "done"}
    print(json.dumps(message), flush=True)
"""
"""In the place of `harness exec-worker`. Argument: the store."""


def check_engine(engine: Engine, folder: Path) -> None:
    """Has an engine compute nodes of which some fail, as a run does: `check`, `submit` for as many as it has `slots`,
    `close`. Then `execute`. Writes to the empty `folder`.

    Raises PluginError if a result is missing, if a failure is hidden or not a HarnessError, or if the `capacity` has no
    room for the nodes.
    """
    requests = [_request(folder, key) for key in ("good", "bad", "better")]
    try:
        engine.check(requests)
        slots = engine.slots
        require(slots is None or slots > 0, f"slots is {slots!r}", "return a positive number, or None")
        _check_capacity(engine.capacity(requests), requests)
        for request, future in _submitted(engine, requests, slots or len(requests)):
            _check_outcome(request, future.exception(), "the future")
        _check_outcome(_request(folder, "last"), _error_of(engine, _request(folder, "last")), "execute")
        _check_outcome(_request(folder, "bad"), _error_of(engine, _request(folder, "bad")), "execute")
    finally:
        engine.close(stop=False)


def _check_capacity(capacity: Capacity | None, requests: Sequence[NodeRequest]) -> None:
    if capacity is None:
        return
    slots = capacity.slots
    require(slots is None or slots > 0, f"the capacity has {slots!r} slots", "give a positive number, or None")
    missing = [request.kind for request in requests if not capacity.room_for(capacity.demand(request))]
    require(not missing, "the capacity has no room for nodes that the engine computes", "list every machine")


def _submitted(
    engine: Engine, requests: Sequence[NodeRequest], slots: int
) -> Iterator[tuple[NodeRequest, Future[None]]]:
    """Yields the requests with their futures. At most `slots` of them are unfinished at a time."""
    for first in range(0, len(requests), slots):
        submitted = [(request, engine.submit(request)) for request in requests[first : first + slots]]
        wait([future for _, future in submitted])
        yield from submitted


def _error_of(engine: Engine, request: NodeRequest) -> BaseException | None:
    try:
        engine.execute(request)
    except Exception as error:
        return error
    return None


def _check_outcome(request: NodeRequest, error: BaseException | None, of: str) -> None:
    if request.key == "bad":
        require(error is not None, f"{of} has no error for a node that failed", "raise harness.StepFailed")
        message = f"{of} has a {type(error).__name__} for a node that failed"
        require(isinstance(error, HarnessError), message, "raise harness.StepFailed")
        return
    if isinstance(error, HarnessError):
        raise error
    require(error is None, f"{of} has a {type(error).__name__} for a node that succeeds: {error}")
    made = request.store / request.key / "made"
    require(made.is_file(), f"{of} is done, and the node is not in the store")


def _in_this_process(place: Path) -> None:
    if place.name == "bad":
        raise StepFailed("fails on purpose")
    place.mkdir(parents=True)
    (place / "made").touch()


def _request(folder: Path, key: str) -> NodeRequest:
    store, protocol = folder / "store", folder / "protocol.yaml"
    protocol.touch()
    return NodeRequest(
        key=key,
        label=key,
        kind="train",
        needs=frozenset(),
        protocol=protocol,
        store=store,
        run=folder / "run",
        arguments=[sys.executable, "-c", _ARGUMENTS, str(store), key],
        worker=[sys.executable, "-c", _WORKER, str(store)],
        execute=partial(_in_this_process, store / key),
    )
