"""The tasks of reasoning-gym as domains, their verifiers as the reward; needs `mdrl-harness[reasoning-gym]`."""

from __future__ import annotations

from collections.abc import Iterator

from harness import DomainSpec, RewardSpec, hookimpl

CITE = "Stojanovski et al. 2025, arXiv 2505.24760"


@hookimpl
def harness_domains() -> Iterator[DomainSpec]:
    yield DomainSpec(
        name="reasoning-gym",
        summary="A task of reasoning-gym: generated problems, scored by the task's own verifier",
        reward="reasoning-gym-verifier",
        load="harness_domains.reasoning_gym.domain:ReasoningGymDomain",
        config="harness_domains.reasoning_gym.config:ReasoningGymConfig",
        cite=CITE,
    )


@hookimpl
def harness_rewards() -> Iterator[RewardSpec]:
    yield RewardSpec(
        name="reasoning-gym-verifier",
        summary="The score of the row's reasoning-gym verifier for the answer, from 0 to 1",
        load="harness_domains.reasoning_gym.reward:ReasoningGymReward",
        config="harness_domains.reasoning_gym.reward:ReasoningGymRewardConfig",
        cite=CITE,
    )
