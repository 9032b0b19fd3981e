"""The observer NAME. Importing this must stay light: `load` names what is imported when it is used."""

from collections.abc import Iterator

from harness import ObserverSpec, hookimpl


@hookimpl
def harness_observers() -> Iterator[ObserverSpec]:
    yield ObserverSpec(
        name="NAME",
        summary="Writes the curves of a run as a table",
        load="harness_NAME.observer:Table",
        config="harness_NAME.observer:TableConfig",
    )
