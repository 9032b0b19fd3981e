"""Refresh: a short training on the harmed domain."""

from collections.abc import Iterator

from harness import RecoverySpec, hookimpl


@hookimpl
def harness_recoveries() -> Iterator[RecoverySpec]:
    yield RecoverySpec(
        name="refresh",
        summary="A short training on the harmed domain, with any algorithm, of all weights or of a mask",
        load="harness_recoveries.refresh.recovery:Refresh",
        config="harness_recoveries.refresh.config:RefreshConfig",
        trains=True,
        cite="Yang, Ding and Xiong 2026, A Local Perturbation Theory, arXiv 2606.02398",
    )
