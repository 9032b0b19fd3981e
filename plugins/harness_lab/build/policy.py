"""A policy trained against a reward model, as in a protocol. What it learns shows the errors of the model."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness import TrainingContext, TrainingDomain
from harness.training import PolicyGradientConfig, train_with_trl
from harness_lab.domains import CWDomain, LabDomainConfig
from harness_lab.rewards import LearnedReward, LearnedRewardConfig

STEPS = 60
LEARNING_RATE = 6e-4


def train_policy(base: Path, reward_model: Path, output: Path, *, seed: int) -> Path:
    """Returns `output`, the base model after one creative-writing step of `lab.yaml` under the given reward model."""
    output.mkdir(parents=True)
    reward = LearnedReward(LearnedRewardConfig(model=reward_model))
    with tempfile.TemporaryDirectory() as scratch:
        context = TrainingContext(
            checkpoint=base,
            output=output,
            scratch=Path(scratch),
            metrics=Path(scratch) / "metrics.jsonl",
            domains=[TrainingDomain(name="cw", domain=CWDomain(LabDomainConfig()), reward=reward)],
            seed=seed,
            progress=lambda done, total, metrics: None,
        )
        train_with_trl(context, PolicyGradientConfig(steps=STEPS, learning_rate=LEARNING_RATE, save_every=0))
    return output
