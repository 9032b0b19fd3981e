"""Distill: on-policy distillation from the checkpoints after each domain's training."""

from collections.abc import Iterator

from harness import RecoverySpec, hookimpl


@hookimpl
def harness_recoveries() -> Iterator[RecoverySpec]:
    yield RecoverySpec(
        name="distill",
        summary="On-policy distillation from the checkpoint after each target's last training",
        load="harness_recoveries.distill.recovery:Distill",
        config="harness_recoveries.distill.config:DistillConfig",
        trains=True,
        several=True,
        algorithm="distillation",
        cite="GLM-5 team 2026, arXiv 2602.15763, section 3.5; Nemotron-Cascade 2, arXiv 2603.19220, section 4.4",
    )
