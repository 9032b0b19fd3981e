"""Metrics: numbers that the scores of a method determine, as further columns of the leaderboard."""

from __future__ import annotations

import harness


@harness.metric(name="worst-domain")
def worst_domain(scores: harness.ScoreMatrix) -> float | None:
    """The lowest score after the last step, over the domains where higher is better."""
    values = [value for domain, value in scores.final.items() if domain not in scores.lower_is_better]
    return min(values, default=None)


@harness.metric(name="untrained-forgetting", higher_is_better=False)
def untrained_forgetting(scores: harness.ScoreMatrix) -> float | None:
    """The mean forgetting of the evaluation-only columns: the loss since the best earlier score, base included."""
    if len(scores.evaluation_only) < 2:
        return None
    *earlier, end = scores.evaluation_only
    losses = []
    for column, value in end.items():
        sign = -1.0 if column in scores.lower_is_better else 1.0
        losses.append(max(sign * step[column] for step in earlier) - sign * value)
    return sum(losses) / len(losses) if losses else None


@harness.metric(name="learning-accuracy")
def learning_accuracy(scores: harness.ScoreMatrix) -> float | None:
    """The mean, over the trained domains where higher is better, of each one's score right after its last training."""
    after = {domain: scores.last_training(domain) for domain in scores.domains if domain not in scores.lower_is_better}
    values = [scores.scores[step][domain] for domain, step in after.items() if step is not None]
    return sum(values) / len(values) if values else None
