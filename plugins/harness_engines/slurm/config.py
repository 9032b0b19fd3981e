"""The config of the engine `slurm`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from harness import Config


class SlurmConfig(Config):
    """How steps are submitted. Options that are null are those of the cluster."""

    partition: str | None = Field(default=None, description="`--partition`")
    account: str | None = Field(default=None, description="`--account`")
    qos: str | None = Field(default=None, description="`--qos`")
    minutes: int = Field(default=720, ge=1, description="`--time`; a step that needs longer is requeued and resumes")
    gres: str = Field(default="gpu", min_length=1, description="the name of GPUs, such as gpu:a100")
    memory_gb: float | None = Field(default=None, gt=0, description="`--mem`")
    constraint: str | None = Field(default=None, description="`--constraint`")
    options: dict[str, Any] = Field(default_factory=dict, description="further options of `sbatch`")
    setup: list[str] = Field(default_factory=list, description="shell commands before each step, such as `module load`")
    requeues: int = Field(default=3, ge=0, description="how often a step whose time is over is requeued")
    warn_seconds: int = Field(
        default=90, ge=1, description="seconds before its time limit at which a job is stopped and requeued"
    )
    at_once: int = Field(default=256, ge=1, description="steps of a job array that may run at a time")
    poll_seconds: float = Field(default=5, gt=0, description="how often the queue is looked at")
    cluster: Literal["slurm", "local"] = Field(
        default="slurm", description="local: processes on this machine in the place of jobs, to try it"
    )
