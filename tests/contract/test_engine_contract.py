"""The contract of `harness_engines`."""

import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import pytest
from shipped_offers import offers

from harness import Capacity, Engine, EngineSpec, MachineResources, PluginError, StepFailed


def small(execute) -> EngineSpec:
    """An engine made of a function of the request."""
    made = type("Small", (Engine,), {"__init__": lambda self, c: None, "execute": lambda self, req: execute(req)})
    return EngineSpec(name="small", summary="A small engine", load=made)


def elsewhere(request) -> None:
    try:
        subprocess.run(request.arguments, check=True)
    except subprocess.CalledProcessError as error:
        raise StepFailed(f"exit code {error.returncode}") from error


@offers("engine")
def test_shipped_engines_keep_the_contract(offer, check_shipped):
    check_shipped(offer)


@pytest.mark.parametrize("execute", [lambda request: request.execute(), elsewhere])
def test_engines_of_this_process_and_of_another_keep_it(check_small, execute):
    check_small(small(execute))


def test_an_engine_that_makes_nothing_breaks_it(check_small):
    with pytest.raises(PluginError, match="the node is not in the store"):
        check_small(small(lambda request: None))


def test_an_engine_with_several_slots_keeps_it(check_small):
    class Pooled(Engine):
        slots = 2

        def __init__(self, config) -> None:
            self._pool = ThreadPoolExecutor(2)

        def execute(self, request) -> None:
            request.execute()

        def submit(self, request):
            return self._pool.submit(self.execute, request)

    check_small(EngineSpec(name="pooled", summary="Two at a time", load=Pooled))


@pytest.mark.parametrize(
    ("capacity", "told"),
    [
        (Capacity(place="-", machines=()), "no room for nodes"),
        (Capacity(place="-", machines=[MachineResources(cpus=1)], slots=0), "0 slots"),
    ],
)
def test_a_capacity_without_room_breaks_it(check_small, capacity, told):
    spec = small(lambda request: request.execute())
    spec.load.capacity = lambda self, requests: capacity
    with pytest.raises(PluginError, match=told):
        check_small(spec)


def test_an_engine_whose_future_hides_a_failure_breaks_it(check_small):
    def done(self, request):
        future = Future()
        with suppress(StepFailed):
            request.execute()
        future.set_result(None)
        return future

    spec = small(lambda request: request.execute())
    spec.load.submit = done
    with pytest.raises(PluginError, match="the future has no error for a node that failed"):
        check_small(spec)


def test_an_error_that_is_no_harness_error_breaks_it(check_small):
    def execute(request) -> None:
        try:
            request.execute()
        except StepFailed as error:
            raise ValueError("a bare one") from error

    with pytest.raises(PluginError, match="a ValueError for a node that failed"):
        check_small(small(execute))


def test_an_engine_that_hides_a_failure_breaks_it(check_small):
    with pytest.raises(PluginError, match="a node that failed"):
        check_small(small(lambda request: subprocess.run(request.arguments, check=False)))
