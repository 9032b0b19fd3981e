"""The base configs of policy-gradient algorithms. Algorithm plugins subclass them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from harness.errors import Problem
from harness.plugin.config import Config, Unkeyed, missing_package
from harness.plugin.paths import PathEntries
from harness.plugin.workload import Workload
from harness.training.lora import LoRASettings
from harness.training.packages import ATTENTION, missing_attention, missing_packages
from harness.training.trl_fields import config_fields
from harness.training.trl_unkeyed import LOGGING, MACHINE, SAVING
from harness.training.updates.settings import AverageSettings, FreezeSettings, SubspaceSettings
from harness.training.workload import policy_gradient_workload

# Fields of TRL that the harness sets itself, and what to use instead.
_OURS = {
    "max_steps": "steps",
    "num_train_epochs": "steps",
    "learning_rate": "learning_rate",
    "num_generations": "generations",
    "max_completion_length": "max_completion_length",
    "temperature": "temperature",
    "beta": "beta",
    "loss_type": "loss_type",
    "reward_weights": "the weights of a composite reward",
    "seed": "the protocol's seeds",
    "data_seed": "the protocol's seeds",
    "per_device_train_batch_size": "completions_per_device",
    "gradient_accumulation_steps": "completions_per_device",
    "generation_batch_size": "trl.steps_per_generation",
    "shuffle_dataset": "nothing: the order of the prompts depends on the seed",
    "output_dir": "nothing: results go to the store",
    "save_strategy": "save_every",
    "save_steps": "save_every",
    "resume_from_checkpoint": "nothing: a killed step resumes automatically",
    "model_init_kwargs": "dtype and attn_implementation",
    "logging_steps": "nothing: every step is logged",
    "logging_strategy": "nothing: every step is logged",
    "remove_unused_columns": "nothing: rewards need the columns",
}
_STOPS = ("stop", "stop_strings")
# Fields that are incompatible with `stop`: TRL treats a completion that ends at a stop text as truncated, and its
# continuous batching does not support stop texts.
_NOT_WITH_STOP = ("mask_truncated_completions", "use_transformers_continuous_batching")


_SHARDED = ("fsdp", "fsdp_config", "deepspeed", "parallelism_config")
_RULES = ("freeze", "subspace", "ema")


def _is_off(setting: object) -> bool:
    """Whether a rule is not used. Its key is then left out, so that the keys of results are those without the rule."""
    return setting is None


class OnPolicyConfig(Config):
    """Settings of a training step that samples completions and rewards them. One optimizer step uses
    `prompts_per_step` × `generations` completions. `trl_config` is the name of the corresponding config class of
    TRL."""

    trl_config: ClassVar[str]

    steps: int = Field(default=60, ge=1, description="optimizer steps")
    learning_rate: float = Field(default=1e-6, gt=0, description="AdamW's constant learning rate")
    prompts_per_step: int = Field(default=32, ge=1, description="prompts per optimizer step")
    generations: int = Field(default=8, ge=2, description="completions sampled for each prompt")
    max_completion_length: int | None = Field(
        default=None, ge=1, description="maximum completion length in tokens; by default the limit of the domains"
    )
    stop: tuple[str, ...] = Field(
        default=(),
        description="texts that end a completion, such as a next question; the reward sees the text before them",
    )
    temperature: float = Field(default=1.0, gt=0, description="sampling temperature")
    beta: float = Field(
        default=0.0, ge=0, description="weight of the KL divergence from the step's starting checkpoint"
    )
    mix: Literal["weighted", "proportional", "temperature"] = Field(
        default="weighted",
        description="share of each domain's prompts: by weight, by weight × data size, or by weight × data"
        " size^(1/mix_temperature)",
    )
    mix_temperature: float = Field(
        default=5.0,
        ge=1,
        description="for `mix: temperature`: 1 is proportional to size, high values approach equal shares",
    )
    lora: LoRASettings | None = Field(
        default=None, description="trains a low-rank adapter: `{rank, alpha, dropout, target_modules, output}`"
    )
    freeze: FreezeSettings | None = Field(
        default=None,
        exclude_if=_is_off,
        description="keeps the weights that matter most to earlier domains: `{fraction, of, completions}`",
    )
    subspace: SubspaceSettings | None = Field(
        default=None,
        exclude_if=_is_off,
        description="scales steps along the changes of earlier trainings: `{rank, amplify, shrink}`",
    )
    ema: AverageSettings | None = Field(
        default=None,
        exclude_if=_is_off,
        description="a moving average of the weights as the KL's anchor or as the result: `{decay, use}`",
    )
    completions_per_device: int | None = Field(
        default=None, ge=1, description="completions per forward pass; by default all completions of a step"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="data type of the trained weights"
    )
    attn_implementation: Annotated[str, Field(pattern=ATTENTION)] | None = Field(
        default=None,
        exclude_if=_is_off,
        description="attention of the trained model, as in transformers: `eager`, `sdpa`, `flash_attention_2`,"
        " `flash_attention_3`, `flex_attention`, or a kernel's repository; by default transformers' own choice",
    )
    save_every: Annotated[int, Unkeyed("a resumed training gives the same bytes")] = Field(
        default=20, ge=0, description="optimizer steps between resumable states; 0 saves none"
    )
    unjudgeable: Literal["drop", "refuse"] = Field(
        default="drop", description="how to handle rows that the reward cannot judge: drop them or refuse to start"
    )
    max_error_rate: float = Field(
        default=0.05, ge=0, le=1, description="the step stops if a larger share of a domain's latest rewards fails"
    )
    reward_timeout: Annotated[float | None, Unkeyed("changes how long to wait, not the result")] = Field(
        default=None, gt=0, description="seconds after which a reward call counts as timed out"
    )
    trl: Annotated[
        dict[str, Any],
        PathEntries(frozenset({"accelerator_config", "deepspeed", "fsdp_config"})),
        Unkeyed("change logging only", LOGGING),
        Unkeyed("change where states are saved", SAVING),
        Unkeyed("change the hardware use and timeouts, not the result", MACHINE),
    ] = Field(
        default_factory=dict,
        description="further fields of TRL's config, passed unchanged; unknown fields are an error",
    )

    def loss_fields(self) -> dict[str, Any]:
        """Returns the fields of TRL's config that select this algorithm's loss."""
        return {}

    @property
    def size_exponent(self) -> float:
        """The exponent of the data size in a domain's share of the prompts.

        Source of 1/T: multilingual translation (arXiv 1907.05019), with T = 5.
        """
        return {"weighted": 0.0, "proportional": 1.0, "temperature": 1 / self.mix_temperature}[self.mix]

    def faults(self) -> Iterable[Problem]:
        """Yields a problem for each optional package that these settings need and that is not installed."""
        yield from missing_packages(self.trl)
        yield from missing_attention(self.attn_implementation)
        if self.lora is not None:
            yield from missing_package("peft", key="lora", wanted_by="lora")

    def workload(self) -> Workload:
        """Returns the training's work, without what `freeze` samples of earlier domains, whose number is not known."""
        return policy_gradient_workload(self)

    def reads_lineage(self) -> bool:
        return self.freeze is not None or self.subspace is not None

    @property
    def kl_weight(self) -> float:
        """The weight of the KL that the trainer gets."""
        return self.beta

    @model_validator(mode="after")
    def _rules_apply(self) -> Self:
        used = [name for name in _RULES if getattr(self, name) is not None]
        if used and self.lora is not None:
            raise ValueError(f"{used[0]} applies to the model's own weights, and lora trains others; leave out one")
        sharded = [name for name in _SHARDED if self.trl.get(name)]
        if used and sharded:
            raise ValueError(f"{used[0]} needs all weights in every process; leave out {used[0]} or trl.{sharded[0]}")
        if self.ema is not None and self.ema.is_anchor:
            if not self.kl_weight:
                raise ValueError("ema: the anchor is that of the KL, whose weight is 0; set beta, or ema.use: final")
            if self.trl.get("sync_ref_model"):
                raise ValueError("ema and trl.sync_ref_model both move the KL's anchor; leave out one")
        return self

    @field_validator("stop")
    @classmethod
    def _no_empty_text(cls, stop: tuple[str, ...]) -> tuple[str, ...]:
        if "" in stop:
            raise ValueError("an empty text ends every completion before its first token")
        return stop

    @model_validator(mode="after")
    def _stops_once(self) -> Self:
        generation = self.trl.get("generation_kwargs") or {}
        if isinstance(generation, dict) and any(name in generation for name in _STOPS):
            raise ValueError("trl.generation_kwargs must not contain stop texts; use stop")
        for name in _NOT_WITH_STOP:
            if self.stop and self.trl.get(name):
                raise ValueError(f"trl.{name} cannot be combined with stop")
        return self

    @field_validator("trl")
    @classmethod
    def _known_to_trl(cls, given: dict[str, Any]) -> dict[str, Any]:
        known = config_fields(cls.trl_config)
        for key in given:
            if key in known and key in _OURS:
                raise ValueError(f"{key} is set by the harness; use {_OURS[key]}")
            if key not in known:
                near = get_close_matches(key, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ValueError(f"TRL's {cls.trl_config} has no field {key}{hint}")
        return given


class PolicyGradientConfig(OnPolicyConfig):
    """Settings of GRPO and of algorithms based on TRL's GRPOTrainer."""

    trl_config: ClassVar[str] = "GRPOConfig"

    loss_type: str = Field(default="dapo", description="TRL's name for the loss; dapo is the mean over all tokens")

    def loss_fields(self) -> dict[str, Any]:
        return {"loss_type": self.loss_type}
