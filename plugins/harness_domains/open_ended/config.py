"""Domains of prompts without reference answers: rows with a prompt, some held out, whose answers a judge scores.

A plugin makes one by subclassing the config, for its defaults, and the domain, for its name and folder of tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from harness.domains.data import (
    SOURCE_ROW,
    DataSource,
    HubSource,
    is_a_request,
    load_table,
    missing_files,
    nested_subset,
)
from harness.domains.judge.answers import prompt_text
from harness.domains.judge.client import JudgeClient
from harness.domains.judge.config import JudgeConfig
from harness.domains.judge.verdicts import PAIR_RUBRIC, check_places
from harness.errors import Problem, UsageError
from harness.plugin.config import Unkeyed
from harness.plugin.interfaces import Domain, EvaluationTask
from harness.plugin.start_check import StartContext

if TYPE_CHECKING:
    from datasets import Dataset

METADATA = "open_ended"
PROMPT = "the prompt: text, or a list of messages with role and content"


class OpenEndedConfig(DataSource):
    """Where the prompts are, how they look, how many are held out, and who judges the answers to those."""

    judge: JudgeConfig = Field(description="the judge that scores held-out prompts: model, endpoint, …")
    more_datasets: tuple[str, ...] = Field(
        default=(), description="further data sets of the hub with the same split and column, at their main branch"
    )
    prompt: str = Field(default="prompt", min_length=1, description="the column with the prompt: text, or messages")
    format: Literal["plain", "chat"] = Field(
        default="chat", description="train on the text as it is, or as messages in the model's chat template"
    )
    system_prompt: str | None = Field(default=None, description="of the chat format")
    completion_tokens: int = Field(default=2048, ge=1, description="the longest useful completion, in tokens")
    stop: tuple[str, ...] = Field(default=(), description="texts at which a scored answer ends")
    temperature: float = Field(default=0.7, ge=0, description="of the scored answers; 0 takes the likeliest token")
    prompts: int | None = Field(default=None, ge=1, description="training prompts to use; null for all")
    test_items: int = Field(default=50, ge=1, description="prompts held out of training and scored by the judge")
    subset_seed: int = Field(
        default=0, ge=0, description="fixes what is held out, and which prompts smaller numbers take"
    )
    scoring: Literal["absolute", "pairwise"] = Field(
        default="absolute", description="score an answer by itself, or against a reference for the same prompt"
    )
    reference: str | None = Field(
        default=None, description="pairwise: the column with the reference: text, or messages that end in it"
    )
    reference_file: Annotated[Path | None, Unkeyed("the fingerprint covers the file")] = Field(
        default=None, description="pairwise: a local file of the columns `prompt` and `reference`, not the data's own"
    )
    pair_rubric: str = Field(
        default=PAIR_RUBRIC, description="pairwise: what the judge is asked, with {prompt}, {first} and {second} in it"
    )

    _has_all_places = field_validator("pair_rubric")(check_places)

    @model_validator(mode="after")
    def _system_prompt_in_chat_only(self) -> Self:
        if self.system_prompt is not None and self.format == "plain":
            raise ValueError("system_prompt wants format: chat")
        return self

    @model_validator(mode="after")
    def _has_references(self) -> Self:
        if self.scoring == "pairwise" and self.reference is None:
            raise ValueError("pairwise scoring wants `reference`, the column that holds what answers are compared with")
        return self

    def faults(self) -> Iterable[Problem]:
        yield from super().faults()
        yield from missing_files("reference_file", self.reference_file)

    def sources(self) -> list[DataSource]:
        """Returns where the rows come from: the files, or each data set."""
        first = DataSource(**{name: getattr(self, name) for name in DataSource.model_fields})
        if first.data_files:
            return [first]
        return [first, *(DataSource(dataset=name, split=self.split) for name in self.more_datasets)]

    def held_out(self) -> Dataset:
        """Returns the test items: `prompt` as text, no prompt twice, and in pairwise scoring `reference`.

        Raises UsageError where the data do not serve.
        """
        rows = self._ordered().select(range(self.test_items)).select_columns("prompt")
        if self.scoring == "absolute":
            return rows
        known = self._references()
        missing = [prompt for prompt in rows["prompt"] if not known.get(prompt, "").strip()]
        if missing:
            raise UsageError(
                f"{len(missing)} of {self.test_items} held-out prompts have no reference, first {missing[0]!r:.80}",
                where=self._place(self._reference_sources()[0]),
                hint=f"every held-out prompt wants a text in the column {self.reference}, or messages that end in the"
                " assistant's",
            )
        return rows.add_column("reference", [known[prompt] for prompt in rows["prompt"]])

    def _reference_sources(self) -> list[DataSource]:
        return self.sources() if self.reference_file is None else [DataSource(data_files=self.reference_file)]

    def _references(self) -> dict[str, str]:
        """Returns the references by their prompts' text; of a prompt that comes twice the first one's."""
        assert self.reference is not None, "pairwise scoring has a column"
        found: dict[str, str] = {}
        for source in self._reference_sources():
            columns = {self.prompt: PROMPT, self.reference: "what answers are compared with"}
            table = load_table(source, columns)
            for prompt, value in zip(table[self.prompt], table[self.reference], strict=True):
                found.setdefault(prompt_text(prompt), _reference_text(value))
        return found

    def training(self) -> Dataset:
        """Returns `prompt` as text and `messages`, none of them held out. Raises UsageError as `held_out` does."""
        rows = self._ordered()
        last = len(rows) if self.prompts is None else min(len(rows), self.test_items + self.prompts)
        return rows.select(range(self.test_items, last))

    def _ordered(self) -> Dataset:
        """Returns the distinct prompts in the order of `subset_seed`: the first `test_items` are held out."""
        from datasets import Dataset

        found: dict[str, list[dict[str, str]]] = {}
        for source in self.sources():
            for messages in self._messages(source):
                found.setdefault(prompt_text(messages), messages)
        if len(found) <= self.test_items:
            raise UsageError(
                f"there are {len(found)} prompts, and {self.test_items} are to be held out",
                where=", ".join(map(str, self.files())) or str(self.dataset),
                hint="give more prompts, or set test_items lower",
            )
        rows = Dataset.from_dict({"prompt": list(found), "messages": list(found.values())})
        return nested_subset(rows, None, self.subset_seed, "prompt")

    def _messages(self, source: DataSource) -> Iterator[list[dict[str, str]]]:
        table = load_table(source, {self.prompt: PROMPT})
        for place, value in zip(table[SOURCE_ROW], table[self.prompt], strict=True):
            messages = [{"role": "user", "content": value}] if isinstance(value, str) else value
            if not is_a_request(messages):
                raise UsageError(
                    f"the row has {value!r:.60} in the column {self.prompt}",
                    where=place,
                    hint="every row wants text, or messages with role and content that end with the user's",
                )
            yield [{"role": message["role"], "content": message["content"]} for message in messages]

    @staticmethod
    def _place(source: DataSource) -> str:
        return ", ".join(map(str, source.files())) or f"{source.dataset} ({source.split})"


def _reference_text(value: Any) -> str:
    """Returns a reference's text; the last message's where it is the assistant's, and nothing for anything else."""
    if isinstance(value, list) and value and isinstance(value[-1], dict) and value[-1].get("role") == "assistant":
        value = value[-1].get("content")
    return value if isinstance(value, str) else ""


class OpenEndedDomain(Domain):
    """Prompts to train on with any reward, and held-out ones that a judge scores; a subclass names it."""

    task: ClassVar[str]
    folder: ClassVar[Path]
    reads_thinking = True

    def __init__(self, config: OpenEndedConfig) -> None:
        self.config = config
        self.completion_tokens = config.completion_tokens
        self.chat = config.format == "chat"
        self.system_prompt = config.system_prompt if self.chat else None

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        return JudgeClient(self.config.judge).faults()

    def fingerprint(self) -> str:
        sources = self.config.sources()
        if self.config.reference_file is not None:
            sources.append(DataSource(data_files=self.config.reference_file))
        return f"{self.task}/1 " + " | ".join(source.fingerprint() for source in sources)

    def hub_sources(self) -> Sequence[HubSource]:
        return [found for source in self.config.sources() for found in source.hub_sources()]

    def training_data(self, seed: int) -> Dataset:
        """Returns rows of `prompt`; the same prompts for every seed, as a data set is."""
        from datasets import Dataset

        rows = self.config.training()
        if self.config.format == "plain":
            return rows.select_columns("prompt")
        system = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        return Dataset.from_dict({"prompt": [[*system, *turns] for turns in rows["messages"]]})

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        if self.config.scoring == "pairwise":
            return (EvaluationTask(task=f"{self.task}_pairwise", metric="pairwise_win_rate", filter="compared"),)
        return (EvaluationTask(task=self.task, metric="judge_score", filter="judged"),)

    def task_folder(self) -> Path:
        return self.folder

    def task_metadata(self) -> Mapping[str, Any]:
        """Returns this config with absolute paths, from which the task finds its items, its settings and its judge."""
        config = self.config
        if config.data_files is not None:
            config = config.model_copy(update={"data_files": tuple(path.absolute() for path in config.files())})
        if config.reference_file is not None:
            config = config.model_copy(update={"reference_file": config.reference_file.expanduser().absolute()})
        return {METADATA: config.model_dump(mode="json")}

    def scored_completions(self, limit: int | None) -> int:
        return min(self.config.test_items, limit or self.config.test_items)
