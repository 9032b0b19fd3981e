"""The built-in engines, registered as a plugin."""

from collections.abc import Iterable

from harness.plugin.hookspecs import hookimpl
from harness.plugin.specs import EngineSpec


@hookimpl
def harness_engines() -> Iterable[EngineSpec]:
    """Yields the engines."""
    yield EngineSpec(
        name="local",
        summary="Runs steps on this machine, several at a time in worker processes",
        load="harness.execution.engines.local:Local",
        config="harness.execution.engines.local:LocalConfig",
    )
    yield EngineSpec(
        name="subprocess",
        summary="Runs every step in a separate process, so that its memory is freed",
        load="harness.execution.engines.child_process:ChildProcess",
    )
