"""The config of a domain of the user's own data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from harness import Problem, Unkeyed
from harness.domains import DataSource, missing_files
from harness_domains.jsonl.rules import Rule, rule_named


class JsonlConfig(DataSource):
    """Prompts and answers: their source and columns, the prompts' format, and the held-out rows with their scoring."""

    prompt: str = Field(default="prompt", min_length=1, description="the column with the prompt")
    answer: str = Field(
        default="answer",
        min_length=1,
        description="the column with the answer, or a list of answers; `a.b` is a field of a column",
    )
    template: str | None = Field(
        default=None, description="the prompt with columns in braces, as in 'Q: {prompt} A:'; {{ and }} are braces"
    )
    keep: tuple[str, ...] = Field(default=(), description="further columns that the reward reads")
    format: Literal["plain", "chat"] = Field(
        default="plain", description="train on the text as it is, or as a user's message in the model's chat template"
    )
    system_prompt: str | None = Field(default=None, description="of the chat format")
    completion_tokens: int = Field(default=64, ge=1, description="the longest useful completion, in tokens")
    stop: tuple[str, ...] = Field(default=(), description="texts at which a scored answer ends")
    temperature: float = Field(default=0.0, ge=0, description="of the scored answers; 0 is greedy")
    score: str | dict[str, Any] = Field(
        default="exact-match", description="the rule that scores test items: its name, or `use` with the rule's keys"
    )
    test_files: Annotated[tuple[Path, ...] | Path | None, Unkeyed("the fingerprint covers the files")] = Field(
        default=None, description="files with the test items"
    )
    test_split: str | None = Field(default=None, description="the hub's split with the test items")
    test_share: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="the share to hold out by hash of the prompt, if there are no test_files or test_split",
    )
    prompts: int | None = Field(default=None, ge=1, description="training prompts to use; null for all")
    test_items: int | None = Field(default=None, ge=1, description="test items to use; null for all")
    subset_seed: int = Field(
        default=0, ge=0, description="fixes the order from which `prompts` and `test_items` select"
    )

    @field_validator("score")
    @classmethod
    def _is_a_rule(cls, score: str | dict[str, Any]) -> str | dict[str, Any]:
        rule_named(score)
        return score

    @field_validator("template")
    @classmethod
    def _names_columns(cls, template: str | None) -> str | None:
        fields = template_columns(template)
        if template is not None and not fields:
            raise ValueError("no column is named in braces")
        return template

    @model_validator(mode="after")
    def _fits_together(self) -> JsonlConfig:
        if self.system_prompt is not None and self.format == "plain":
            raise ValueError("system_prompt requires format: chat")
        if {"prompt", "answer"} & set(self.keep):
            raise ValueError("keep must not contain prompt or answer, which the domain's own columns are called")
        if self.test_files is not None and self.test_split is not None:
            raise ValueError("give test_files or test_split, not both")
        return self

    def faults(self) -> Iterable[Problem]:
        yield from super().faults()
        yield from missing_files("test_files", self.test_files)

    def columns(self) -> Mapping[str, str]:
        """Returns the required columns and a description of each."""
        further = dict.fromkeys(template_columns(self.template), "named in the template")
        further |= dict.fromkeys(self.keep, "named under keep")
        column, dot, field = self.answer.partition(".")
        held = f"an object whose field {field} is the answer" if dot else "the answer"
        return further | {self.prompt: "the prompt", column: f"{held}, or a list of answers"}

    def text_columns(self) -> tuple[str, ...]:
        """Returns the columns that are read as text: numbers and dates keep their spelling."""
        return (self.prompt, self.answer, *template_columns(self.template))

    def rendered(self, row: Mapping[str, Any]) -> str:
        """Returns a row's prompt as text."""
        return str(row[self.prompt]) if self.template is None else self.template.format(**row)

    def test_source(self) -> DataSource | None:
        """Returns the source of the test items, or None if they are a share of the rows."""
        where = {key: getattr(self, key) for key in ("dataset", "subset", "revision", "split")}
        if self.test_files is not None:
            return DataSource(data_files=self.test_files)
        return None if self.test_split is None else DataSource(**where | {"split": self.test_split})

    def rule(self) -> Rule:
        """Returns the rule that scores the test items."""
        return rule_named(self.score)


def template_columns(template: str | None) -> list[str]:
    """Returns the columns in a template. Raises ValueError if it is malformed, or if it accesses parts of a value."""
    names = [name for _, name, _, _ in Formatter().parse(template or "") if name is not None]
    for name in names:
        if not name or name.isdigit() or any(mark in name for mark in ".[]"):
            raise ValueError(f"{{{name}}} is not the name of a column")
    return names
