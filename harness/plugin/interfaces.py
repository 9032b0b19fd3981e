"""What a spec loads into: the objects a plugin author writes, and the contexts they are handed.

This module imports no torch. A module that a spec's `load` names may, except for domains, rewards and models,
whose `fingerprint` is asked for by `harness plan`: keep their heavy imports inside the methods that need them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.plugin.artifacts import ArtifactCache, FormerlyShared
from harness.plugin.hub_source import TakesFromHub
from harness.plugin.sampling import Sampling
from harness.plugin.start_check import ChecksStart

if TYPE_CHECKING:
    from datasets import Dataset

    from harness.results.leaderboard import Leaderboard


# --------------------------------------------------------------------------------------------- base models


class BaseModel(TakesFromHub, ChecksStart, ABC):
    """A base model that every method starts from."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Returns a string that changes when the weights do: a pinned revision, or a hash of the files. No torch."""

    @abstractmethod
    def folder(self) -> Path:
        """Returns a Hugging Face model folder with its tokenizer, fetched first where it has to be.

        Raises CheckpointError where it cannot be had.
        """

    def config_json(self) -> Mapping[str, Any] | None:
        """Returns the values of the model's config.json where they are known without the network, else None. No torch.

        `harness plan` tells the model's size from them.
        """
        return None


# ------------------------------------------------------------------------------------------------- domains


@dataclass(frozen=True, kw_only=True)
class EvaluationTask:
    """One lm-eval task of a domain and the number of it that counts.

    `metric` and `filter` name lm-eval's result `"metric,filter"`. With `percent`, lm-eval's 0 to 1 is shown times 100.
    """

    task: str
    metric: str
    filter: str = "none"
    higher_is_better: bool = True
    percent: bool = True


@dataclass(frozen=True, kw_only=True)
class TaskSet:
    """What lm-eval is asked to run for a domain: its tasks, where they are defined (None for lm-eval's own), the
    metadata their `custom_dataset` functions are called with, as by `lm-eval --metadata`, its system prompt, and
    whether the tasks take the thinking off themselves."""

    tasks: Sequence[EvaluationTask]
    folder: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    system_prompt: str | None = None
    reads_thinking: bool = False

    @classmethod
    def of(cls, domain: Domain) -> TaskSet:
        """Returns what `domain` says of its tasks."""
        return cls(
            tasks=domain.evaluation_tasks(),
            folder=domain.task_folder(),
            metadata=domain.task_metadata(),
            system_prompt=domain.system_prompt,
            reads_thinking=domain.reads_thinking,
        )


class Domain(TakesFromHub, ChecksStart, ABC):
    """Training prompts and the lm-eval tasks that score the skill."""

    completion_tokens: int | None = None
    """The longest useful completion, in tokens; algorithms take it where their config sets none."""

    chat: bool | None = None
    """Whether the training prompts are chat messages. Test items are then scored through the model's chat template, and
    plain text without it. None where the domain does not say: the protocol's `evaluate.chat_template` decides."""

    system_prompt: str | None = None
    """Put before the items when they are scored through a chat template; training prompts carry their own."""

    reads_thinking: bool = False
    """Says that the tasks take off what comes up to `</think>` themselves, so that lm-eval leaves it to them: only so
    can they tell an answer from a thought that was cut short. `harness.domains.completions.ReadsThinking` is for such
    tasks."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Returns a string that changes when the data do. Cheap, and without importing torch or datasets."""

    @abstractmethod
    def training_data(self, seed: int) -> Dataset:
        """Returns rows with a column `prompt` (a string, or a list of chat messages) and those the reward reads."""

    @abstractmethod
    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        """Returns the tasks of this domain; its score is the mean of theirs. At least one."""

    def task_folder(self) -> Path | None:
        """Returns the folder with the tasks' YAML files, or None where they are lm-eval's own."""
        return None

    def task_metadata(self) -> Mapping[str, Any]:
        """Returns JSON data that the tasks' `custom_dataset` functions are called with: where the items are."""
        return {}

    def scored_completions(self, limit: int | None) -> int | None:
        """Returns how many completions the scoring of a checkpoint samples at most, at `limit` items a task; None where
        only the data tell. Nothing is read for it."""
        return None


# ------------------------------------------------------------------------------------------------- rewards

Outcome = Literal["ok", "abstain", "error", "timeout"]


@dataclass(frozen=True, slots=True)
class RewardResult:
    """The reward of one completion. Only `ok` has a value; the others say in `detail` why they have none,
    and `ok` may say what the value comes of.

    parts: what a reward made of several got from each, by name; logged and counted beside the whole.
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
    """Completions to score, row by row: the prompt, the completion's text, and the data set's other columns."""

    prompts: Sequence[Any]
    completions: Sequence[str]
    rows: Sequence[Mapping[str, Any]]


class Reward(TakesFromHub, ChecksStart, ABC):
    """Scores completions."""

    tried_at_start: bool = True
    """Whether a run scores a few training rows before it starts, to find rewards that can judge none. Set it to False
    for rewards that cost money or load a large model, which check themselves in `faults_at_start`."""

    def fingerprint(self) -> str:
        """Returns a string that changes when what the rewards hang on beside config and source does, such as the
        weights of a reward model. No torch."""
        return "config and source"

    def fetch(self) -> None:
        """Downloads what scoring needs, so that a later run does without the network. Nothing, unless overridden."""

    def unjudgeable(self, prompts: Sequence[Any], rows: Sequence[Mapping[str, Any]]) -> Sequence[str | None]:
        """Returns, for each training row, why no completion of it can be scored, or None where one can.

        Called once when a training loads its data, before the first step; rows with a reason are left out, or refused
        under `unjudgeable: refuse`. What it returns must depend on the prompt and the row alone, so that every run
        trains on the same rows. rows: the data set's columns beside the prompt. By default every row can be judged.
        """
        return [None] * len(rows)

    @abstractmethod
    def score(self, batch: RewardBatch) -> Sequence[RewardResult] | Awaitable[Sequence[RewardResult]]:
        """Returns one result a row, in order. A row's fault is an `error` result, never a zero and never raised.

        May be `async def`: the asynchronous rewards of one batch wait together. Every batch has an event loop of its
        own, so what belongs to a loop, such as a client's connections, is opened in here. `harness.score_rewards` calls
        either kind.
        """


# ------------------------------------------------------------------------------------------ training, recovery


@dataclass(frozen=True, kw_only=True)
class TrainingDomain:
    """A domain as a training step sees it: its reward loaded, and its weight in the mix (1.0 is its fair share).

    reward_label: the reward's distribution and name, for messages. sampling: how the last training of the domain before
    this step sampled its completions; None where there was none.
    """

    name: str
    domain: Domain
    reward: Reward
    weight: float = 1.0
    reward_label: str = ""
    sampling: Sampling | None = None

    def sampled_as(self) -> Sampling:
        """Returns how completions of the domain are sampled: as its training did, else at temperature 1 up to the
        domain's own length."""
        return self.sampling or Sampling.of_config({}, self.domain.completion_tokens)


NEVER_VARIED = "reward_never_varied/"
"""What the metric begins with that has, for a domain, in how many rounds its rewards never differed within a group."""
WAITING_FOR = "waiting for "
"""Among the metrics of a progress call, `waiting for NAME` is for how many seconds the step has waited for NAME."""


class Progress(Protocol):
    """Where a long step tells how far it is: a bar on a terminal, plain lines elsewhere."""

    def __call__(self, done: int, total: int, metrics: Mapping[str, float]) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a step cost; zeros for a training-free one."""

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
    """What a training, a recovery or a merge says of itself: its cost, and a report of plain JSON data."""

    cost: Cost = Cost()
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TrainingContext:
    """What an algorithm is handed.

    checkpoint: the model folder to start from. output: an existing empty folder for the trained one. scratch: a folder
    that outlives a killed process, for resuming. metrics: a JSON-lines file to append training metrics to. earlier: the
    domains that the method trained before this step, without the step's own, by name; for algorithms whose spec says
    `replays`, none for the others. whole: the output has to be a whole model and no adapter, for a recovery goes on
    with it.
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


class Algorithm(ChecksStart, ABC):
    """Trains a checkpoint on one or more domains."""

    @abstractmethod
    def train(self, context: TrainingContext) -> StepResult:
        """Writes the trained model and its tokenizer to `context.output`. Raises StepFailed with a cause."""


@dataclass(frozen=True, kw_only=True)
class LineageEntry:
    """A checkpoint of a method: `step` 0 is the base; `domains` are those its step trained (none for the base)."""

    step: int
    label: str
    domains: tuple[str, ...]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class RecoveryContext(FormerlyShared):
    """What a recovery is handed.

    lineage: base to the damaged checkpoint, in order. target: the harmed domain. peak: index into `lineage` of the
    target's last training. train: for recoveries whose spec says `trains`, runs the resolved algorithm on the given
    domains from a checkpoint into `output`; None for the others. cache: keeps what is measured; None outside a run.
    """

    lineage: Sequence[LineageEntry]
    target: str
    peak: int
    domains: Mapping[str, TrainingDomain]
    output: Path
    scratch: Path
    metrics: Path
    seed: int
    progress: Progress
    train: Callable[[Path, Sequence[str]], StepResult] | None = None
    cache: ArtifactCache | None = None

    @property
    def checkpoint(self) -> Path:
        """The damaged checkpoint that is to be recovered."""
        return self.lineage[-1].folder

    @property
    def peak_checkpoint(self) -> Path:
        """The target's peak."""
        return self.lineage[self.peak].folder


class Recovery(ChecksStart, ABC):
    """Brings a harmed domain back."""

    @abstractmethod
    def recover(self, context: RecoveryContext) -> StepResult:
        """Writes the recovered model and its tokenizer to `context.output`. Raises StepFailed with a cause."""


# -------------------------------------------------------------------------------------------------- probes


@dataclass(frozen=True, kw_only=True)
class ProbeContext(FormerlyShared):
    """What a probe is handed: the checkpoints of one method, base first, and the domains of the protocol.

    scratch: a folder that outlives a killed process. score: for probes whose spec says `scores`, returns the score of
    every domain, as the leaderboard would have it, of the model in a folder; None for the others. cache: keeps what is
    measured; None outside a run.
    """

    lineage: Sequence[LineageEntry]
    domains: Mapping[str, TrainingDomain]
    scratch: Path
    seed: int
    progress: Progress
    score: Callable[[Path], Mapping[str, float]] | None = None
    cache: ArtifactCache | None = None


class Probe(ChecksStart, ABC):
    """Measures the checkpoints of a method."""

    @abstractmethod
    def measure(self, context: ProbeContext) -> Sequence[Mapping[str, Any]]:
        """Returns rows of plain JSON data, all with the same keys: one row a measurement, units in the key's name."""


# ---------------------------------------------------------------------------------------------------- tables


class TableFormat(ABC):
    """Renders a leaderboard."""

    @abstractmethod
    def render(self, leaderboard: Leaderboard) -> str:
        """Returns the whole table as text in this format."""
