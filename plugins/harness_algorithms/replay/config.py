"""Settings of replay."""

from __future__ import annotations

from pydantic import Field

from harness.training import PolicyGradientConfig


class ReplayConfig(PolicyGradientConfig):
    """GRPO's settings, and the replayed share. The default is that of On-Policy Replay (arXiv 2605.29495)."""

    share: float = Field(
        default=0.1, ge=0, lt=1, description="share of each step's prompts that come from the domains trained before"
    )
