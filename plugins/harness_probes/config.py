"""Settings of the probes."""

from typing import Literal

from pydantic import Field

from harness import Config

Place = Literal["base", "end"] | int
"""A checkpoint of a lineage: the base, the last one, or that of a step by its number."""


class OverlapConfig(Config):
    """Settings of `neuron-overlap`."""

    top_share: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="share of the MLP channels that count as changed, those with the largest delta",
    )


class SampledConfig(Config):
    """Settings of probes that sample completions at one checkpoint of the lineage."""

    at: Place = Field(default="base", description="the checkpoint: base, end, or a step's number")
    completions: int = Field(default=128, ge=2, description="completions sampled per domain")


class RoutesConfig(SampledConfig):
    """Settings of probes on active routes. The definition is ours: arXiv 2606.02398 is not known to give one."""

    measure: Literal["activation", "attribution"] = Field(
        default="activation",
        description="activity of a channel: mean |activation|, or mean |activation · gradient of the log-probability|",
    )
    top_share: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="share of the MLP channels that count as active, those with the highest activity",
    )


class DomainsConfig(Config):
    """Settings of probes that sample completions of domains at the checkpoint before each step."""

    completions: int = Field(default=128, ge=2, description="completions sampled per domain and step")
    domains: tuple[str, ...] = Field(default=(), description="the domains to measure; by default all")
