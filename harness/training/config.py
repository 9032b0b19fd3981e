"""The config that every policy-gradient algorithm starts from; an algorithm plugin subclasses it."""

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
from harness.training.packages import missing_packages
from harness.training.trl_fields import config_fields
from harness.training.trl_unkeyed import LOGGING, MACHINE, SAVING
from harness.training.workload import policy_gradient_workload

# What the harness sets itself, and the key of the protocol that sets it.
_OURS = {
    "max_steps": "steps",
    "num_train_epochs": "steps",
    "learning_rate": "learning_rate",
    "num_generations": "generations",
    "max_completion_length": "max_completion_length",
    "temperature": "temperature",
    "beta": "beta",
    "loss_type": "loss_type",
    "seed": "the protocol's seeds",
    "data_seed": "the protocol's seeds",
    "per_device_train_batch_size": "completions_per_device",
    "gradient_accumulation_steps": "completions_per_device",
    "generation_batch_size": "trl.steps_per_generation",
    "shuffle_dataset": "nothing: the order of the prompts is drawn from the seed",
    "output_dir": "nothing: the store's place is given",
    "save_strategy": "save_every",
    "save_steps": "save_every",
    "resume_from_checkpoint": "nothing: a killed step resumes by itself",
    "model_init_kwargs": "dtype",
    "logging_steps": "nothing: every step is logged",
    "logging_strategy": "nothing: every step is logged",
    "remove_unused_columns": "nothing: rewards read the columns",
}
_STOPS = ("stop", "stop_strings")
# What cannot be together with stop texts: TRL takes a completion that ends at one for a truncated one, and its
# continuous batching does not stop at texts.
_NOT_WITH_STOP = ("mask_truncated_completions", "use_transformers_continuous_batching")


class OnPolicyConfig(Config):
    """Settings of a training step that samples completions and rewards them. One optimizer step sees
    `prompts_per_step` × `generations` completions. `trl_config` names the class of TRL that they become."""

    trl_config: ClassVar[str]

    steps: int = Field(default=60, ge=1, description="optimizer steps")
    learning_rate: float = Field(default=1e-6, gt=0, description="AdamW's constant learning rate")
    prompts_per_step: int = Field(default=32, ge=1, description="prompts per optimizer step")
    generations: int = Field(default=8, ge=2, description="completions sampled for each prompt")
    max_completion_length: int | None = Field(
        default=None, ge=1, description="longest completion in tokens; by default the domains' own limit"
    )
    stop: tuple[str, ...] = Field(
        default=(),
        description="texts that end a completion, such as a next question; the reward sees what comes before",
    )
    temperature: float = Field(default=1.0, gt=0, description="temperature of the sampled completions")
    beta: float = Field(default=0.0, ge=0, description="weight of the KL to the step's starting checkpoint")
    mix: Literal["weighted", "proportional", "temperature"] = Field(
        default="weighted",
        description="several domains: prompts by the step's weights, by weight × size of the data, or by weight ×"
        " size^(1/mix_temperature)",
    )
    mix_temperature: float = Field(
        default=5.0, ge=1, description="of `mix: temperature`: 1 is proportional, high values come near equal shares"
    )
    lora: LoRASettings | None = Field(
        default=None, description="trains a low-rank adapter: `{rank, alpha, dropout, target_modules, output}`"
    )
    completions_per_device: int | None = Field(
        default=None, ge=1, description="completions per forward pass; by default all of a step at once"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(default="float32", description="of the trained weights")
    save_every: Annotated[int, Unkeyed("a resumed training ends with the same bytes")] = Field(
        default=20, ge=0, description="optimizer steps between resumable states; 0 for none"
    )
    unjudgeable: Literal["drop", "refuse"] = Field(
        default="drop", description="rows that the reward can never judge: drop them, or refuse to start"
    )
    max_error_rate: float = Field(
        default=0.05, ge=0, le=1, description="share of failed rewards, among a domain's latest, that stops the step"
    )
    reward_timeout: Annotated[float | None, Unkeyed("how patiently the same work is done")] = Field(
        default=None, gt=0, description="seconds after which a call of a reward counts as timed out"
    )
    trl: Annotated[
        dict[str, Any],
        PathEntries(frozenset({"accelerator_config", "deepspeed", "fsdp_config"})),
        Unkeyed("where numbers and texts are shown", LOGGING),
        Unkeyed("where states are saved", SAVING),
        Unkeyed("where and how patiently the same work is done", MACHINE),
    ] = Field(
        default_factory=dict, description="further fields of TRL's config, passed as they are; unknown ones are refused"
    )

    def loss_fields(self) -> dict[str, Any]:
        """Returns the fields of TRL's config by which this algorithm's loss is chosen."""
        return {}

    @property
    def size_exponent(self) -> float:
        """The power of a data set's size by which its domain's share grows.

        1/T is that of multilingual translation, arXiv 1907.05019, which trains at T = 5.
        """
        return {"weighted": 0.0, "proportional": 1.0, "temperature": 1 / self.mix_temperature}[self.mix]

    def faults(self) -> Iterable[Problem]:
        """Yields the optional packages that these settings need and that are not installed."""
        yield from missing_packages(self.trl)
        if self.lora is not None:
            yield from missing_package("peft", key="lora", wanted_by="lora")

    def workload(self) -> Workload:
        return policy_gradient_workload(self)

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
            raise ValueError("stop texts in trl.generation_kwargs are not cut off; use stop")
        for name in _NOT_WITH_STOP:
            if self.stop and self.trl.get(name):
                raise ValueError(f"trl.{name} cannot be together with stop")
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
    """Settings of GRPO and of what is built on TRL's GRPOTrainer."""

    trl_config: ClassVar[str] = "GRPOConfig"

    loss_type: str = Field(default="dapo", description="TRL's name of the loss; dapo is the mean over all tokens")

    def loss_fields(self) -> dict[str, Any]:
        return {"loss_type": self.loss_type}
