"""The lab's metrics as `evaluate.Metric`s, so that any metric of that library can stand in for them in a task's YAML.

References are what the task's `doc_to_target` gives: the reference answer, or for creative writing the prompt itself,
whose topics the rubric looks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import datasets
import evaluate

from harness_lab.questions import WRITING
from harness_lab.questions.code import same_function


class LabMetric(evaluate.Metric):
    """Mean score from 0 to 1 of text predictions; a subclass says how one prediction is scored."""

    score_name: ClassVar[str]
    score_one: ClassVar[Callable[[str, str], float]]

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description=self.__doc__ or "", citation="", inputs_description="", features=text)

    def _compute(self, predictions: Sequence[str], references: Sequence[str], **_: Any) -> dict[str, float]:
        scores = [type(self).score_one(p, r) for p, r in zip(predictions, references, strict=True)]
        return {self.score_name: sum(scores) / len(scores)}


class ExpressionAgreement(LabMetric):
    """1 where the predicted expression, run on held-out inputs, agrees with the reference expression, else 0."""

    score_name = "expression_agreement"
    score_one = staticmethod(same_function)


class ExactAnswer(LabMetric):
    """1 where prediction and reference are the same text but for the space around them, else 0."""

    score_name = "exact_answer"
    score_one = staticmethod(lambda prediction, reference: float(prediction.strip() == reference.strip()))


class Rubric(LabMetric):
    """The share of the writing rubric's six points that the prediction meets; the reference is the prompt."""

    score_name = "rubric"
    score_one = staticmethod(lambda prediction, reference: WRITING.score(reference, prediction))
