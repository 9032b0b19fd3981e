"""Checks whether a domain's reward can judge the domain's rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.domains.scoring import score_rewards
from harness.errors import Problem
from harness.plugin.interfaces import RewardBatch, TrainingDomain

TRIED = 4
COMPLETION = "1"


def reward_faults(domain: TrainingDomain, rows: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """Yields a problem if the reward cannot judge any of the rows. Raises PluginError if it breaks its contract."""
    tried = rows[:TRIED]
    if not tried or not domain.reward.tried_at_start:
        return
    batch = RewardBatch(prompts=[row["prompt"] for row in tried], completions=[COMPLETION] * len(tried), rows=tried)
    results = score_rewards(domain.reward, batch, label=domain.reward_label)
    if all(result.outcome in ("error", "timeout") for result in results):
        yield Problem(
            message=f"it could judge none of {len(tried)} training rows with the completion {COMPLETION!r}:"
            f" {results[0].detail}",
            hint=f"the rows have the columns {', '.join(tried[0])}",
        )
