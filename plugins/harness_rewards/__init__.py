"""Rewards that any domain can use: a reward model, an LLM as judge, and a weighted sum of rewards."""

from __future__ import annotations

from collections.abc import Iterator

from harness import RewardSpec, hookimpl


@hookimpl
def harness_rewards() -> Iterator[RewardSpec]:
    yield RewardSpec(
        name="reward-model",
        summary="The number of a label of a sequence-classification checkpoint, local or of the hub",
        load="harness_rewards.reward_model:RewardModel",
        config="harness_rewards.reward_model:RewardModelConfig",
    )
    yield RewardSpec(
        name="judge",
        summary="0, 0.5 or 1 from an LLM behind an OpenAI-compatible server, by a rubric",
        load="harness.domains.judge:JudgeReward",
        config="harness.domains.judge:JudgeConfig",
        needs=frozenset({"network"}),
    )
    yield RewardSpec(
        name="composite",
        summary="The weighted sum of other rewards, each part logged",
        load="harness_rewards.composite:Composite",
        config="harness_rewards.composite:CompositeConfig",
    )
