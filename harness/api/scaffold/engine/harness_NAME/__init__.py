"""The engine NAME. Importing this must stay light: `load` names what is imported when it is used."""

from collections.abc import Iterator

from harness import EngineSpec, hookimpl


@hookimpl
def harness_engines() -> Iterator[EngineSpec]:
    yield EngineSpec(
        name="NAME",
        summary="Runs each step by a command of its own and keeps what it printed",
        load="harness_NAME.engine:Commands",
    )
