"""The configs, apart from what needs torch: reading a protocol imports only these."""

from pydantic import Field

from harness import Config


class ReversalConfig(Config):
    """How many prompts a training step draws from."""

    prompts: int = Field(default=512, ge=1, description="training prompts to draw for a step")


class MidpointConfig(Config):
    """How far back to go."""

    share: float = Field(default=0.5, gt=0, le=1, description="of the way back to the peak")
