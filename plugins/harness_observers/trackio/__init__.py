"""The observer `trackio`."""

from collections.abc import Iterator

from harness import ObserverSpec, hookimpl


@hookimpl
def harness_observers() -> Iterator[ObserverSpec]:
    yield ObserverSpec(
        name="trackio",
        summary="Writes a trackio project on this machine, one trackio run per curve",
        load="harness_observers.trackio.observer:Trackio",
        config="harness_observers.trackio.config:TrackioConfig",
    )
