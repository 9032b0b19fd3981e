"""The lab's metrics as `evaluate.Metric`s, so that a task's YAML can use any metric of that library instead.

References are the values of the task's `doc_to_target`: the reference answer, or for creative writing the prompt, which
names the topics that the rubric checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import datasets
import evaluate

from harness_lab.questions import WRITING
from harness_lab.questions.code import same_function


class LabMetric(evaluate.Metric):
    """Mean score from 0 to 1 of text predictions; a subclass defines the score of one prediction."""

    score_name: ClassVar[str]
    score_one: ClassVar[Callable[[str, str], float]]

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description=self.__doc__ or "", citation="", inputs_description="", features=text)

    def _compute(self, predictions: Sequence[str], references: Sequence[str], **_: Any) -> dict[str, float]:
        scores = [type(self).score_one(p, r) for p, r in zip(predictions, references, strict=True)]
        return {self.score_name: sum(scores) / len(scores)}


class ExpressionAgreement(LabMetric):
    """1 if the predicted expression agrees with the reference expression on held-out inputs, else 0."""

    score_name = "expression_agreement"
    score_one = staticmethod(same_function)


class ExactAnswer(LabMetric):
    """1 if prediction and reference are equal except for surrounding space, else 0."""

    score_name = "exact_answer"
    score_one = staticmethod(lambda prediction, reference: float(prediction.strip() == reference.strip()))


class Rubric(LabMetric):
    """The share of the writing rubric's six points that the prediction meets; the reference is the prompt."""

    score_name = "rubric"
    score_one = staticmethod(lambda prediction, reference: WRITING.score(reference, prediction))
