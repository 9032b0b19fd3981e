"""Prompts without a correct answer, scored by an LLM as judge: the domain `open-ended` and two presets of it, `chat`
and `creative-writing`."""

from __future__ import annotations

from collections.abc import Iterator

from harness import DomainSpec, RewardSpec, hookimpl

_DOMAIN = "harness_domains.open_ended.domain:OpenEndedDomain"


@hookimpl
def harness_domains() -> Iterator[DomainSpec]:
    yield DomainSpec(
        name="open-ended",
        summary="Your own prompts, with answers scored by a judge on your rubric or against references",
        reward="judge",
        load=_DOMAIN,
        config="harness_domains.open_ended.config:OpenEndedConfig",
    )
    yield DomainSpec(
        name="chat",
        summary="Requests of real users to an assistant (the WildChat-IF prompts of Tülu 3, or your own)",
        reward="reward-model",
        load=_DOMAIN,
        config="harness_domains.open_ended.chat:ChatConfig",
    )
    yield DomainSpec(
        name="creative-writing",
        summary="Stories, scenes and poems on request (crownelius/Creative-Writing sets, or your own prompts)",
        reward="creative-writing-judge",
        load=_DOMAIN,
        config="harness_domains.open_ended.creative_writing:CreativeWritingConfig",
    )


@hookimpl
def harness_rewards() -> Iterator[RewardSpec]:
    yield RewardSpec(
        name="creative-writing-judge",
        summary="0, 0.5 or 1 from an LLM behind an OpenAI-compatible server, by a rubric for creative writing",
        load="harness.domains.judge:JudgeReward",
        config="harness_domains.open_ended.creative_writing:WritingJudgeConfig",
        needs=frozenset({"network"}),
    )
