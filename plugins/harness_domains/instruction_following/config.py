"""The config of the domain: constrained prompts, their format, and the scored items."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from harness.domains import DataSource

Metric = Literal["prompt_level_strict_acc", "inst_level_strict_acc", "prompt_level_loose_acc", "inst_level_loose_acc"]


class InstructionTable(DataSource):
    """A table of prompts and constraints. A dot in a column's name selects a field of a struct.

    The defaults fit nvidia/Llama-Nemotron-Post-Training-Dataset; README.md names the source.
    """

    dataset: str | None = Field(
        default="nvidia/Llama-Nemotron-Post-Training-Dataset", description="a data set's name on the hub"
    )
    subset: str | None = Field(default="RL", description="the data set's configuration")
    split: str = Field(default="instruction_following", description="the split to read")
    prompt: str = Field(default="input", min_length=1, description="the column with the prompt: text, or messages")
    instructions: str = Field(
        default="args.instruction_id_list", min_length=1, description="the column with the list of constraints' ids"
    )
    arguments: str = Field(
        default="args.instruction_kwargs",
        min_length=1,
        description="the column with the list of the constraints' arguments, one mapping for every id",
    )
    faulty_rows: Literal["refuse", "skip"] = Field(
        default="refuse", description="stop at rows whose constraints cannot be checked, or leave them out"
    )

    def columns(self) -> dict[str, str]:
        """Returns the required columns and a description of each; dotted names are fields of a struct."""
        return {
            self.prompt: "the prompt, as text or as messages (another column: set `prompt`)",
            self.instructions: "the list of the constraints' ids (another: set `instructions`)",
            self.arguments: "the list of their arguments, one mapping for every id (another: set `arguments`)",
        }

    def fingerprint(self) -> str:
        """Returns the fingerprint of the data (see DataSource), with the columns that are read."""
        return f"{super().fingerprint()} {self.prompt} {self.instructions} {self.arguments} {self.faulty_rows}"

    def place(self) -> str:
        """Returns the source of the rows, for messages."""
        return ", ".join(map(str, self.files())) or f"{self.dataset} ({self.split})"


class HeldOutTable(InstructionTable):
    """The scored items: google/IFEval, which has only the split `train`."""

    dataset: str | None = Field(default="google/IFEval", description="a data set's name on the hub")
    subset: str | None = Field(default=None, description="the data set's configuration")
    split: str = Field(default="train", description="the split to read")
    prompt: str = Field(default="prompt", min_length=1, description="the column with the prompt, as text")
    instructions: str = Field(
        default="instruction_id_list", min_length=1, description="the column with the list of constraints' ids"
    )
    arguments: str = Field(
        default="kwargs",
        min_length=1,
        description="the column with the list of the constraints' arguments, one mapping for every id",
    )

    def absolute(self) -> Self:
        """Returns the same table with absolute paths of its files. Raises UsageError if a file is missing."""
        return self.model_copy(update={"data_files": tuple(Path(path).absolute() for path in self.files()) or None})


class InstructionFollowingConfig(InstructionTable):
    """Training prompts, given by the keys of InstructionTable, their format, and the scored items."""

    prompts: int | None = Field(default=None, ge=1, description="training prompts to use; null for all")
    subset_seed: int = Field(default=0, ge=0, description="fixes the order from which `prompts` selects")
    format: Literal["chat", "plain"] = Field(default="chat", description="prompts as chat messages, or as text")
    system_prompt: str | None = Field(default=None, description="the system message of the chat format")
    thinks: bool = Field(default=False, description="an answer counts only after </think>, which is required")
    completion_tokens: int = Field(
        default=1280, ge=1, description="the longest completion, in tokens; lm-eval's ifeval has 1280"
    )
    stop: tuple[str, ...] = Field(default=(), description="texts at which a scored answer ends")
    temperature: float = Field(default=0.0, ge=0, description="of the scored answers; 0 is greedy")
    test: HeldOutTable = Field(default=HeldOutTable(), description="the items that are scored, in IFEval's columns")
    metric: Metric = Field(
        default="prompt_level_strict_acc", description="which of the four metrics of lm-eval's ifeval is the score"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.system_prompt is not None and self.format == "plain":
            raise ValueError("system_prompt requires format: chat")
        return self
