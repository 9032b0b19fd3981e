"""The engines that ship with the harness, offered as any plugin offers its own."""

from collections.abc import Iterable

from harness.plugin.hookspecs import hookimpl
from harness.plugin.specs import EngineSpec


@hookimpl
def harness_engines() -> Iterable[EngineSpec]:
    """Yields the engines."""
    yield EngineSpec(
        name="local",
        summary="Every step in this process, one after another",
        load="harness.execution.engines.local:Local",
    )
    yield EngineSpec(
        name="subprocess",
        summary="Every step in a process of its own, so that its memory is given back",
        load="harness.execution.engines.child_process:ChildProcess",
    )
