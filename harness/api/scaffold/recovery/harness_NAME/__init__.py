"""The recovery NAME. Importing this must stay light: `load` names what is imported when it is used."""

from collections.abc import Iterator

from harness import RecoverySpec, hookimpl


@hookimpl
def harness_recoveries() -> Iterator[RecoverySpec]:
    yield RecoverySpec(
        name="NAME",
        summary="Moves all weights a part of the way back to the target's peak",
        load="harness_NAME.recovery:Midpoint",
        config="harness_NAME.recovery:MidpointConfig",
    )
