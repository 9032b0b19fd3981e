"""Mathematics with checkable answers: four data sets, and math-verify as the reward and in the tasks."""

from __future__ import annotations

from collections.abc import Iterator

from harness import DomainSpec, RewardSpec, hookimpl


@hookimpl
def harness_domains() -> Iterator[DomainSpec]:
    yield DomainSpec(
        name="math",
        summary="Problems with a boxed answer: OpenR1-Math, SimpleRL, GSM8K or MATH",
        reward="math-verify",
        load="harness_domains.math.domain:MathDomain",
        config="harness_domains.math.config:MathConfig",
    )


@hookimpl
def harness_rewards() -> Iterator[RewardSpec]:
    yield RewardSpec(
        name="math-verify",
        summary="1 if the last boxed answer equals the reference answer, else 0",
        load="harness_domains.math.reward:MathVerify",
        config="harness_domains.math.reward:MathVerifyConfig",
    )
