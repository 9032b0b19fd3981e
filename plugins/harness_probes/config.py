"""What the probes can be told."""

from typing import Literal

from pydantic import Field

from harness import Config

Place = Literal["base", "end"] | int
"""A checkpoint of a lineage: the base, the last one, or a step's number."""


class OverlapConfig(Config):
    """Of the top-changed neurons."""

    top_share: float = Field(default=0.1, gt=0, lt=1, description="share of the MLP channels that count as changed")


class SampledConfig(Config):
    """Of probes that sample completions at one checkpoint of the lineage."""

    at: Place = Field(default="base", description="the checkpoint: base, end, or a step's number")
    completions: int = Field(default=128, ge=2, description="sampled for each domain")


class RoutesConfig(SampledConfig):
    """Of the routes that a domain's completions use. Our definition: the paper's is not known."""

    measure: Literal["activation", "attribution"] = Field(
        default="activation",
        description="of a channel: mean |activation|, or mean |activation · gradient of the log-probability|",
    )
    top_share: float = Field(default=0.1, gt=0, lt=1, description="share of the MLP channels that count as active")


class DomainsConfig(Config):
    """Of probes that sample completions of domains at the checkpoint before each step."""

    completions: int = Field(default=128, ge=2, description="sampled for each domain and step")
    domains: tuple[str, ...] = Field(default=(), description="the domains asked about; none written means all")
