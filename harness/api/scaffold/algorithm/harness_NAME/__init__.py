"""The algorithm NAME. Importing this must stay light: `load` names what is imported when it is used."""

from collections.abc import Iterator

from harness import AlgorithmSpec, hookimpl


@hookimpl
def harness_algorithms() -> Iterator[AlgorithmSpec]:
    yield AlgorithmSpec(
        name="NAME",
        summary="GRPO whose advantages can be divided by the group's standard deviation, or not",
        load="harness_NAME.algorithm:CenteredGRPO",
        config="harness_NAME.algorithm:CenteredConfig",
        states=True,
    )
