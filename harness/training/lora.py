"""LoRA: trains a low-rank adapter instead of the weights, with peft (Hu et al. 2021, arXiv 2106.09685)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from harness.plugin.config import Config


class LoRASettings(Config):
    """Settings of W + alpha/rank · BA with W frozen. The default rank and alpha are those of TRL's ModelConfig."""

    rank: int = Field(default=16, ge=1, description="rank of the adapter's matrices")
    alpha: float = Field(default=32.0, gt=0, description="alpha/rank scales the adapter")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="dropout of the adapter's inputs during training")
    target_modules: Literal["all-linear"] | tuple[str, ...] = Field(
        default="all-linear",
        min_length=1,
        description="names of modules, or `all-linear` for all linear layers except the output layer",
    )
    output: Literal["full", "adapter"] = Field(
        default="full", description="what to store: the merged model, or only the adapter"
    )

    def peft_config(self) -> Any:
        """Returns the equivalent peft config."""
        from peft import LoraConfig

        return LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=self.target_modules if isinstance(self.target_modules, str) else list(self.target_modules),
            task_type="CAUSAL_LM",
        )
