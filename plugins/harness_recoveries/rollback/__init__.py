"""Rollback: sets the few most damaging weights back toward the target's peak, without training."""

from collections.abc import Iterator

from harness import ProbeSpec, RecoverySpec, hookimpl


@hookimpl
def harness_recoveries() -> Iterator[RecoverySpec]:
    yield RecoverySpec(
        name="rollback",
        summary="Training-free: sets the most damaging weights back toward the target's peak",
        load="harness_recoveries.rollback.recovery:Rollback",
        config="harness_recoveries.rollback.config:RollbackConfig",
        cite="Yang, Ding and Xiong 2026, A Local Perturbation Theory, arXiv 2606.02398",
    )


@hookimpl
def harness_probes() -> Iterator[ProbeSpec]:
    yield ProbeSpec(
        name="rollback-curve",
        summary="Scores of rollbacks of growing size, by several importance scores and at random",
        load="harness_recoveries.rollback.curve:RollbackCurve",
        config="harness_recoveries.rollback.config:CurveConfig",
        scores=True,
        keys=("target", "damaged", "score", "fraction"),
        repeat="draw",
        cite="Yang, Ding and Xiong 2026, A Local Perturbation Theory, arXiv 2606.02398",
    )
