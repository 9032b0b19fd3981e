"""The lab's four domains."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness import Config, Domain, EvaluationTask
from harness_lab.evaluation_items import ITEMS
from harness_lab.questions import KINDS

if TYPE_CHECKING:
    from datasets import Dataset

TASKS = Path(__file__).parent / "lm_eval_tasks"


class LabDomainConfig(Config):
    """The number of training prompts, a prefix of an endless stream."""

    prompts: int = Field(default=4096, ge=1, description="training prompts to draw for a step, repetition allowed")


class LabDomain(Domain):
    """A kind of lab question; a subclass defines it and the metric of its task."""

    kind_name: ClassVar[str]
    metric: ClassVar[str]
    chat = False

    def __init__(self, config: LabDomainConfig) -> None:
        self.config = config
        self.kind = KINDS[self.kind_name]
        self.completion_tokens = self.kind.completion_tokens

    def fingerprint(self) -> str:
        return f"lab/{self.kind_name}/drawn from train prompts/1"

    def training_data(self, seed: int) -> Dataset:
        from datasets import Dataset

        questions = islice(self.kind.draw("train", seed), self.config.prompts)
        return Dataset.from_list([{"prompt": q.prompt, "answer": q.answer} for q in questions])

    def evaluation_tasks(self) -> Sequence[EvaluationTask]:
        return (EvaluationTask(task=f"lab_{self.kind_name}", metric=self.metric),)

    def task_folder(self) -> Path:
        return TASKS

    def scored_completions(self, limit: int | None) -> int:
        return min(ITEMS, limit or ITEMS)


class CodeDomain(LabDomain):
    """Find the function that three examples are computed with."""

    kind_name = "code"
    metric = "expression_agreement"


class MathDomain(LabDomain):
    """Sums, differences and products of small numbers."""

    kind_name = "math"
    metric = "exact_answer"


class QADomain(LabDomain):
    """Look a number up among two or three facts."""

    kind_name = "qa"
    metric = "exact_answer"


class CWDomain(LabDomain):
    """Write one sentence on two topics."""

    kind_name = "cw"
    metric = "rubric"
