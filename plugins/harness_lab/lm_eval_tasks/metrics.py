"""The metric functions that the tasks' YAML names; lm-eval calls them with one reference and one prediction at a time.

They call the metric's own computation instead of `Metric.compute`, which writes and reads an Arrow table for every
item and would take longer than the generation. To use another metric of the `evaluate` library, name it in the YAML
with `hf_evaluate: true`.
"""

from harness_lab.metrics import ExactAnswer, ExpressionAgreement, Rubric

_METRICS = {metric.score_name: metric(keep_in_memory=True) for metric in (ExactAnswer, ExpressionAgreement, Rubric)}


def expression_agreement(references: list[str], predictions: list[str]) -> dict[str, float]:
    """Returns 1.0 or 0.0 for the one prediction."""
    return _METRICS["expression_agreement"]._compute(predictions, references)


def exact_answer(references: list[str], predictions: list[str]) -> dict[str, float]:
    """Returns 1.0 or 0.0 for the one prediction."""
    return _METRICS["exact_answer"]._compute(predictions, references)


def rubric(references: list[str], predictions: list[str]) -> dict[str, float]:
    """Returns the share of the rubric's points for the one prediction."""
    return _METRICS["rubric"]._compute(predictions, references)
