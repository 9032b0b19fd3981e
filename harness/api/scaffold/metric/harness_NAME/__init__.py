"""The metric NAME."""

import harness


@harness.metric(name="NAME", decimals=1, higher_is_better=False)
def spread(scores: harness.ScoreMatrix, *, initial: bool = False) -> float:
    """The best domain's score minus the worst's, after the last step or, with `initial`, before the first."""
    values = (scores.scores[0] if initial else scores.final).values()
    return max(values) - min(values)
