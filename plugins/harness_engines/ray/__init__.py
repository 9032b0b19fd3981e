"""Ray: steps on the machines of a Ray cluster, each where there is room for what it needs."""

from collections.abc import Iterator

from harness import EngineSpec, hookimpl


@hookimpl
def harness_engines() -> Iterator[EngineSpec]:
    yield EngineSpec(
        name="ray",
        summary="Runs steps on the machines of a Ray cluster, or in a Ray of its own on this machine",
        load="harness_engines.ray.engine:Ray",
        config="harness_engines.ray.config:RayConfig",
    )
