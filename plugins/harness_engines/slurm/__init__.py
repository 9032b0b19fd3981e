"""Slurm: each step is a job, submitted through submitit."""

from collections.abc import Iterator

from harness import EngineSpec, hookimpl


@hookimpl
def harness_engines() -> Iterator[EngineSpec]:
    yield EngineSpec(
        name="slurm",
        summary="Runs each step as a job of Slurm; steps that can start at once are one job array",
        load="harness_engines.slurm.engine:Slurm",
        config="harness_engines.slurm.config:SlurmConfig",
    )
