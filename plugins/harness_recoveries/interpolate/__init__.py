"""Interpolate: averages a checkpoint with the peak of a domain."""

from collections.abc import Iterator

from harness import RecoverySpec, hookimpl


@hookimpl
def harness_recoveries() -> Iterator[RecoverySpec]:
    yield RecoverySpec(
        name="interpolate",
        summary="Training-free: averages all weights with the target's peak",
        load="harness_recoveries.interpolate.recovery:Interpolate",
        config="harness_recoveries.interpolate.config:InterpolateConfig",
        cite="Wortsman et al. 2022, Robust fine-tuning of zero-shot models, arXiv 2109.01903",
    )
