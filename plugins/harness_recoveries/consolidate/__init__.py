"""Consolidate: merges the checkpoints of a method's stages by what each domain's curvature says of a weight."""

from collections.abc import Iterator

from harness import RecoverySpec, hookimpl


@hookimpl
def harness_recoveries() -> Iterator[RecoverySpec]:
    yield RecoverySpec(
        name="consolidate",
        summary="Training-free: merges the checkpoints after each domain's training, weighted by curvature",
        load="harness_recoveries.consolidate.recovery:Consolidate",
        config="harness_recoveries.consolidate.config:ConsolidateConfig",
        several=True,
        cite="Matena and Raffel 2022, Merging Models with Fisher-Weighted Averaging, arXiv 2111.09832",
    )
