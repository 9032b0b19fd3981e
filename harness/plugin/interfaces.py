"""The interfaces that plugins implement and the contexts that their methods receive.

This module does not import torch. Modules with implementations may, except those of domains, rewards and models:
`harness plan` calls their `fingerprint`, so import heavy packages only inside the methods that need them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.plugin.artifacts import ArtifactCache
from harness.plugin.hub_source import TakesFromHub
from harness.plugin.sampling import Sampling
from harness.plugin.start_check import ChecksStart

if TYPE_CHECKING:
    from datasets import Dataset


# --------------------------------------------------------------------------------------------- base models


class BaseModel(TakesFromHub, ChecksStart, ABC):
    """The base model that every method starts from."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Returns a string that changes with the weights: a pinned revision or a hash of the files. Must not import
        torch."""

    @abstractmethod
    def folder(self) -> Path:
        """Returns a Hugging Face model folder with its tokenizer, downloaded first if necessary.

        Raises CheckpointError if the model is not available.
        """

    def config_json(self) -> Mapping[str, Any] | None:
        """Returns the model's config.json if it is available without the network, else None. Must not import torch.

        `harness plan` estimates the model size from it.
        """
        return None


# ------------------------------------------------------------------------------------------------- domains


@dataclass(frozen=True, kw_only=True)
class EvaluationTask:
    """One lm-eval task of a domain and the metric that is its score.

    task: the name of the task. metric: the metric that is the score. filter: the lm-eval filter that it is computed
    after. higher_is_better: whether a higher score is better. percent: the metric is between 0 and 1 and is shown as
    a percentage.
    """

    task: str
    metric: str
    filter: str = "none"
    higher_is_better: bool = True
    percent: bool = True


@dataclass(frozen=True, kw_only=True)
class TaskSet:
    """The lm-eval tasks of a domain.

    tasks: the tasks. folder: where the tasks are defined; None for lm-eval's own. metadata: passed to their
    `custom_dataset` functions, as by `lm-eval --metadata`. system_prompt: see `Domain`. reads_thinking: whether the
    tasks remove the thinking from completions themselves. overrides: settings that replace those of a task's YAML file,
    by task.
    """

    tasks: Sequence[EvaluationTask]
    folder: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    system_prompt: str | None = None
    reads_thinking: bool = False
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, domain: Domain) -> TaskSet:
        """Returns the tasks of a domain."""
        return cls(
            tasks=domain.evaluation_tasks(),
            folder=domain.task_folder(),
            metadata=domain.task_metadata(),
            system_prompt=domain.system_prompt,
            reads_thinking=domain.reads_thinking,
            overrides=domain.task_overrides(),
        )


class Domain(TakesFromHub, ChecksStart, ABC):
    """A skill: training prompts and the lm-eval tasks that score it."""

    completion_tokens: int | None = None
    """The maximum completion length in tokens; the default of algorithms whose config sets none."""

    chat: bool | None = None
    """Whether the training prompts are chat messages. If True, test items are scored with the model's chat template; if
    False, as plain text; if None, the protocol's `evaluate.chat_template` decides."""

    system_prompt: str | None = None
    """The system prompt for scoring with a chat template. Training prompts include their own."""

    reads_thinking: bool = False
    """Whether the tasks remove the text up to `</think>` themselves, so that lm-eval does not. Tasks need the full text
    to distinguish an answer from a truncated thought; `harness.domains.completions.ReadsThinking` helps with this."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Returns a string that changes with the data. Must be cheap and must not import torch or datasets."""

    @abstractmethod
    def training_data(self, seed: int) -> Dataset:
        """Returns rows with a column `prompt` (a string or a list of chat messages) and the columns that the reward
        reads."""

    @abstractmethod
    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        """Returns at least one task. The score of the domain is the mean over its tasks."""

    def task_folder(self) -> Path | None:
        """Returns the folder with the YAML files of the tasks, or None for lm-eval's own tasks."""
        return None

    def task_metadata(self) -> Mapping[str, Any]:
        """Returns JSON data that is passed to the tasks' `custom_dataset` functions, such as the location of the
        items."""
        return {}

    def task_overrides(self) -> Mapping[str, Mapping[str, Any]]:
        """Returns settings that replace those in the YAML file of a task, by task, such as other data."""
        return {}

    def scored_completions(self, limit: int | None) -> int | None:
        """Returns an upper bound on the completions sampled to score a checkpoint with `limit` items per task, or None
        if it depends on the data. Must not load the data; `harness.domains.most_rows` bounds the rows of files."""
        return None

    def example_prompts(self) -> Sequence[str]:
        """Returns some training prompts as text, without the system prompt; none if they are not in local files.

        `harness plan` estimates the number of their tokens. Must be cheap and must not import torch or datasets;
        `harness.domains.example_rows` reads the first rows of files.
        """
        return ()


# ------------------------------------------------------------------------------------------------- rewards

Outcome = Literal["ok", "abstain", "error", "timeout"]


@dataclass(frozen=True, slots=True)
class RewardResult:
    """The reward of one completion.

    outcome: `ok`, `abstain` (the reward does not apply), `error` or `timeout`. value: the reward; None unless the
    outcome is `ok`. detail: explains the outcome; optional for `ok`. parts: the results of the components of a
    composite reward, by name; they are logged and counted separately.
    """

    outcome: Outcome
    value: float | None = None
    detail: str = ""
    parts: Mapping[str, RewardResult] = field(default_factory=dict, hash=False)

    @classmethod
    def ok(cls, value: float, detail: str = "") -> RewardResult:
        return cls("ok", float(value), detail)

    @classmethod
    def abstain(cls, detail: str) -> RewardResult:
        return cls("abstain", None, detail)

    @classmethod
    def error(cls, detail: str) -> RewardResult:
        return cls("error", None, detail)

    @classmethod
    def timeout(cls, detail: str) -> RewardResult:
        return cls("timeout", None, detail)


@dataclass(frozen=True, kw_only=True)
class RewardBatch:
    """Completions to score.

    prompts: the prompt per completion, a string or a list of chat messages. completions: the texts. rows: the other
    columns of the training row per completion.
    """

    prompts: Sequence[Any]
    completions: Sequence[str]
    rows: Sequence[Mapping[str, Any]]


class Reward(TakesFromHub, ChecksStart, ABC):
    """Scores completions."""

    tried_at_start: bool = True
    """Whether a run first scores a few training rows, to detect a reward that cannot score any. Set it to False for
    rewards that cost money or load a large model; implement `faults_at_start` instead."""

    part_weights: Mapping[str, float] = MappingProxyType({})
    """For a reward whose results are weighted sums of their `parts`: the weights by name. An algorithm that normalizes
    each reward by itself takes the parts instead of the sum. Empty for other rewards."""

    def fingerprint(self) -> str:
        """Returns a string that changes with any other input of the reward besides config and source, such as the
        weights of a reward model. Must not import torch."""
        return "config and source"

    def fetch(self) -> None:
        """Downloads what scoring needs, so that a later run works offline. Does nothing by default."""

    def unjudgeable(self, prompts: Sequence[Any], rows: Sequence[Mapping[str, Any]]) -> Sequence[str | None]:
        """Returns, for each training row, the reason why its completions cannot be scored, or None if they can.

        Called once when the training data are loaded. Rows with a reason are skipped, or rejected with
        `unjudgeable: refuse`. The result must depend only on the prompt and the row, so that every run trains on the
        same rows. rows: the other columns of the data set. By default all rows can be scored.
        """
        return [None] * len(rows)

    @abstractmethod
    def score(self, batch: RewardBatch) -> Sequence[RewardResult] | Awaitable[Sequence[RewardResult]]:
        """Returns one result per row, in order. If a row cannot be scored, return an `error` result; do not return zero
        or raise.

        May be `async def`: the asynchronous rewards of one batch run concurrently. Every batch has its own event loop,
        so open loop-bound objects, such as client connections, inside this method. `harness.score_rewards` calls both
        kinds.
        """


# ---------------------------------------------------------------------------------------------------- training


@dataclass(frozen=True, kw_only=True)
class TrainingDomain:
    """A domain as passed to a training step.

    name: its name in the protocol. domain: the domain. reward: its reward. weight: its weight in the mix; 1.0 is an
    equal share. reward_label: the reward's distribution and name, for messages. sampling: the sampling settings of the
    last training of the domain before this step; None if there was none.
    """

    name: str
    domain: Domain
    reward: Reward
    weight: float = 1.0
    reward_label: str = ""
    sampling: Sampling | None = None

    def sampled_as(self) -> Sampling:
        """Returns the sampling settings of the domain's training; by default temperature 1 and the domain's length."""
        return self.sampling or Sampling.of_config({}, self.domain.completion_tokens)


NEVER_VARIED = "reward_never_varied/"
"""Prefix of a metric per domain: the number of rounds in which rewards did not differ within any group."""
TOKENS_PER_SECOND = "tokens_per_second"
"""A progress metric: the tokens of prompts and completions per second of the last optimizer step."""
WAITING_FOR = "waiting for "
"""Prefix of a progress metric: `waiting for NAME` is the number of seconds the step has waited for NAME."""


class Progress(Protocol):
    """Reports the progress of a long step: as a bar on a terminal, as lines elsewhere."""

    def __call__(self, done: int, total: int, metrics: Mapping[str, float]) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of a step; all zeros for a training-free one.

    optimizer_steps: the number of optimizer steps. completions: the number of sampled completions. generated_tokens:
    their number of tokens. train_seconds: the duration of the training.
    """

    optimizer_steps: int = 0
    completions: int = 0
    generated_tokens: int = 0
    train_seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            optimizer_steps=self.optimizer_steps + other.optimizer_steps,
            completions=self.completions + other.completions,
            generated_tokens=self.generated_tokens + other.generated_tokens,
            train_seconds=self.train_seconds + other.train_seconds,
        )


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """The result of a training, recovery or merge.

    cost: what the step cost. report: plain JSON data to store with the result.
    """

    cost: Cost = Cost()
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingContext:
    """The input of an algorithm.

    checkpoint: the model folder to start from. output: an existing empty folder for the trained model. scratch: a
    folder that survives a killed process, for resuming. metrics: a JSON-lines file to append training metrics to.
    domains: the domains to train on. seed: the seed of all random draws. progress: call it to report progress.
    earlier: the domains that the method trained before this step, except the step's own, sorted by name; empty unless
    the algorithm's spec sets `replays` or its config reads the lineage. whole: the output must be a full model, not an
    adapter, because a recovery continues from it. lineage: the checkpoints from the base to `checkpoint`, if the config
    reads the lineage. cache: a cache for measurements of them, if the config reads the lineage. mask: the file of an
    update mask; weights outside it must keep their bits. `harness.training.train_with_trl` does so.
    states: folders by number of optimizer steps; after that many, the model is also written to the folder, which is
    replaced if it exists; empty unless the algorithm's spec sets `states`. experts: in a merge, its experts; else the
    methods that the config names.
    """

    checkpoint: Path
    output: Path
    scratch: Path
    metrics: Path
    domains: Sequence[TrainingDomain]
    seed: int
    progress: Progress
    earlier: Sequence[TrainingDomain] = ()
    whole: bool = False
    lineage: Sequence[LineageEntry] = ()
    cache: ArtifactCache | None = None
    mask: Path | None = None
    states: Mapping[int, Path] = field(default_factory=dict)
    experts: Sequence[Expert] = ()


class TrainingCall(Protocol):
    """Trains a checkpoint on some domains and writes the model to the step's output. mask: as in `TrainingContext`."""

    def __call__(self, checkpoint: Path, domains: Sequence[str], *, mask: Path | None = None) -> StepResult: ...


class Algorithm(ChecksStart, ABC):
    """Trains a checkpoint on one or more domains."""

    @abstractmethod
    def train(self, context: TrainingContext) -> StepResult:
        """Writes the trained model and its tokenizer to `context.output`. Raises StepFailed with the cause."""


@dataclass(frozen=True, kw_only=True)
class LineageEntry:
    """A checkpoint of a method.

    step: the number of the step that wrote it; 0 is the base model. label: its name in reports. domains: the domains
    that the step trained. folder: the model folder, always a full model.
    """

    step: int
    label: str
    domains: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Expert:
    """A checkpoint of another method, from the same base.

    name: the name of its method. weight: in a merge, 1.0 unless the protocol sets one. domains: the domains that the
    method trained. folder: the model folder, always a full model.
    """

    name: str
    weight: float
    domains: tuple[str, ...]
    folder: Path
