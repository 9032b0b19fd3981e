"""The config of the observer `wandb`."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from harness import Config, Problem, missing_package


class WandbConfig(Config):
    """Where the runs go. Files are in `RUN/wandb`."""

    mode: Literal["offline", "online"] = Field(
        "offline", description="`offline` writes files, which `wandb sync` uploads; `online` uploads at once."
    )
    project: str | None = Field(None, min_length=1, description="Project; null: the name of the protocol.")
    entity: str | None = Field(None, min_length=1, description="User or team; null: that of wandb's login.")

    def faults(self) -> Iterator[Problem]:
        """Yields whether wandb is missing."""
        yield from missing_package("wandb", key="use", wanted_by="the observer wandb", install="mdrl-harness[wandb]")
