"""Creative writing: prompts for stories and poems, rewarded and scored by an LLM as judge."""

from __future__ import annotations

from collections.abc import Iterator

from harness import DomainSpec, RewardSpec, hookimpl


@hookimpl
def harness_domains() -> Iterator[DomainSpec]:
    yield DomainSpec(
        name="creative-writing",
        summary="Stories, scenes and poems on request (crownelius/Creative-Writing sets, or your own prompts)",
        reward="creative-writing-judge",
        load="harness_domains.creative_writing.domain:CreativeWriting",
        config="harness_domains.creative_writing.config:CreativeWritingConfig",
    )


@hookimpl
def harness_rewards() -> Iterator[RewardSpec]:
    yield RewardSpec(
        name="creative-writing-judge",
        summary="0, 0.5 or 1 from an LLM behind an OpenAI-compatible server, by a rubric for creative writing",
        load="harness.domains.judge:JudgeReward",
        config="harness_domains.creative_writing.config:WritingJudgeConfig",
        needs=frozenset({"network"}),
    )
