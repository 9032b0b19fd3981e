"""Programming: Klear's problems, MBPP and HumanEval. Programs are judged by running tests in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator

from harness import DomainSpec, RewardSpec, hookimpl

_NEEDS = frozenset({"executes-code"})


@hookimpl
def harness_domains() -> Iterator[DomainSpec]:
    yield DomainSpec(
        name="code",
        summary="Write a Python program that passes its tests: Klear's problems, MBPP or HumanEval",
        reward="code-tests",
        load="harness_domains.code.domain:CodeDomain",
        config="harness_domains.code.config:CodeConfig",
        needs=_NEEDS,
    )


@hookimpl
def harness_rewards() -> Iterator[RewardSpec]:
    yield RewardSpec(
        name="code-tests",
        summary="The share of a problem's tests that the program passes in the sandbox, or all of them",
        load="harness_domains.code.reward:CodeTestsReward",
        config="harness_domains.code.config:CodeRewardConfig",
        needs=_NEEDS,
    )
