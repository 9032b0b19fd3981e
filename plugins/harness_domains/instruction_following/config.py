"""What a protocol says of the domain: where the constrained prompts are, how they are asked, and what is scored."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from harness.domains import DataSource

Metric = Literal["prompt_level_strict_acc", "inst_level_strict_acc", "prompt_level_loose_acc", "inst_level_loose_acc"]


class InstructionTable(DataSource):
    """A table of prompts and their constraints. A dot in a column's name reaches into a struct.

    The defaults are those of nvidia/Llama-Nemotron-Post-Training-Dataset; README.md names their source.
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
        """Returns the columns that the data must have, and what each holds; dotted names are fields of a struct."""
        return {
            self.prompt: "the prompt, as text or as messages (another column: set `prompt`)",
            self.instructions: "the list of the constraints' ids (another: set `instructions`)",
            self.arguments: "the list of their arguments, one mapping for every id (another: set `arguments`)",
        }

    def fingerprint(self) -> str:
        """Returns a hash of the local files, or the data set's place, with the columns that are read."""
        return f"{super().fingerprint()} {self.prompt} {self.instructions} {self.arguments} {self.faulty_rows}"

    def place(self) -> str:
        """Returns where the rows come from, for people."""
        return ", ".join(map(str, self.files())) or f"{self.dataset} ({self.split})"


class HeldOutTable(InstructionTable):
    """The items that are scored: google/IFEval, all of it in its split `train`."""

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
        """Returns the same table with the absolute paths of its files. Raises UsageError where one is missing."""
        return self.model_copy(update={"data_files": tuple(Path(path).absolute() for path in self.files()) or None})


class InstructionFollowingConfig(InstructionTable):
    """Training prompts by the keys of InstructionTable, how they are asked, and the items that score the skill."""

    prompts: int | None = Field(default=None, ge=1, description="training prompts to use; null for all")
    subset_seed: int = Field(default=0, ge=0, description="fixes the order of which smaller numbers take a prefix")
    format: Literal["chat", "plain"] = Field(default="chat", description="prompts as chat messages, or as text")
    system_prompt: str | None = Field(default=None, description="of the chat format, put before the messages")
    thinks: bool = Field(default=False, description="an answer counts only after </think>, which has to come")
    completion_tokens: int = Field(
        default=1280, ge=1, description="the longest completion, in tokens; lm-eval's ifeval has 1280"
    )
    stop: tuple[str, ...] = Field(default=(), description="texts at which a scored answer ends")
    temperature: float = Field(default=0.0, ge=0, description="of the scored answers; 0 takes the likeliest token")
    test: HeldOutTable = Field(default=HeldOutTable(), description="the items that are scored, in IFEval's columns")
    metric: Metric = Field(
        default="prompt_level_strict_acc", description="which of the four numbers of lm-eval's ifeval is the score"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.system_prompt is not None and self.format == "plain":
            raise ValueError("system_prompt wants format: chat")
        return self
