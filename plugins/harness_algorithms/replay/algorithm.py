"""The algorithms `replay` and `replay-sft`: GRPO with prompts, or with supervised examples, of earlier domains."""

from __future__ import annotations

from dataclasses import replace

from harness import StepResult, TrainingContext
from harness.training import TRLAlgorithm
from harness_algorithms.replay.config import ReplayConfig, ReplaySFTConfig


class Replay(TRLAlgorithm):
    """GRPO on a mixture: a share of the prompts is spread evenly over the domains trained before.

    The current policy answers replayed prompts, and their domain's reward scores the completions. A step has as many
    completions as with `grpo`. Without earlier domains it is plain GRPO.
    """

    def __init__(self, config: ReplayConfig) -> None:
        self.config = config

    def train(self, context: TrainingContext) -> StepResult:
        from harness.training import train_with_trl

        return train_with_trl(context, self.config, replay_share=self.config.share)


class ReplaySFT(TRLAlgorithm):
    """On-Policy Replay (arXiv 2605.29495) beside GRPO: the newest checkpoint, which is the step's start, answers
    prompts of the domains trained before, and answers with a good reward are supervised examples.

    The gradient is that of GRPO + share/(1 − share) · SFT, which up to a factor is a loss of which `share` is replayed.
    Without earlier domains, or where no rollout is good enough, it is plain GRPO.
    """

    def __init__(self, config: ReplaySFTConfig) -> None:
        self.config = config

    def train(self, context: TrainingContext) -> StepResult:
        from harness.training import train_with_trl
        from harness_algorithms.replay.rollouts import rollouts
        from harness_algorithms.replay.sft import SupervisedShare

        replayed = rollouts(context, self.config)
        rules = [SupervisedShare(replayed, self.config, context.seed)] if replayed.kept else []
        result = train_with_trl(context, self.config, rules=rules)
        counts = {name: dict(own) for name, own in replayed.counts.items()}
        return replace(result, cost=result.cost + replayed.cost, report={**result.report, "replayed": counts})
