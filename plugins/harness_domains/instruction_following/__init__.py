"""Instruction following: constraints that lm-eval's IFEval can check."""

from __future__ import annotations

from collections.abc import Iterator

from harness import DomainSpec, RewardSpec, hookimpl


@hookimpl
def harness_domains() -> Iterator[DomainSpec]:
    yield DomainSpec(
        name="instruction-following",
        summary="Requests with checkable constraints: Llama-Nemotron's, or your own; scored on IFEval",
        reward="ifeval",
        load="harness_domains.instruction_following.domain:InstructionFollowing",
        config="harness_domains.instruction_following.config:InstructionFollowingConfig",
    )


@hookimpl
def harness_rewards() -> Iterator[RewardSpec]:
    yield RewardSpec(
        name="ifeval",
        summary="The fraction of a row's constraints that are met, by lm-eval's checkers",
        load="harness_domains.instruction_following.reward:InstructionReward",
    )
