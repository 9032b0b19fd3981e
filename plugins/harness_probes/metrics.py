"""Metrics: numbers that the scores of a method determine, as further columns of the leaderboard."""

from __future__ import annotations

import harness


@harness.metric(name="worst-domain")
def worst_domain(scores: harness.ScoreMatrix) -> float | None:
    """The lowest score after the last step, over the domains where higher is better."""
    values = [value for domain, value in scores.final.items() if domain not in scores.lower_is_better]
    return min(values, default=None)


@harness.metric(name="learning-accuracy")
def learning_accuracy(scores: harness.ScoreMatrix) -> float | None:
    """The mean, over the trained domains where higher is better, of each one's score right after its last training."""
    after = {domain: scores.last_training(domain) for domain in scores.domains if domain not in scores.lower_is_better}
    values = [scores.scores[step][domain] for domain, step in after.items() if step is not None]
    return sum(values) / len(values) if values else None
