"""Multiple-choice questions: SuperGPQA, MMLU-Pro, or your own data with such columns."""

from __future__ import annotations

from collections.abc import Iterator

from harness import DomainSpec, RewardSpec, hookimpl


@hookimpl
def harness_domains() -> Iterator[DomainSpec]:
    for name, load, config, summary, cite in (
        ("qa", "QADomain", "QAConfig", "Multiple-choice questions of your own, held out by stratum", None),
        (
            "super-gpqa",
            "SuperGPQADomain",
            "SuperGPQAConfig",
            "SuperGPQA, stratified by subfield and difficulty",
            "M-A-P Team and ByteDance, SuperGPQA, arXiv:2502.14739",
        ),
        (
            "mmlu-pro",
            "MMLUProDomain",
            "MMLUProConfig",
            "MMLU-Pro, stratified by category",
            "Wang et al., MMLU-Pro, arXiv:2406.01574",
        ),
    ):
        yield DomainSpec(
            name=name,
            summary=summary,
            reward="qa-letter",
            load=f"harness_domains.qa.domain:{load}",
            config=f"harness_domains.qa.config:{config}",
            cite=cite,
        )


@hookimpl
def harness_rewards() -> Iterator[RewardSpec]:
    yield RewardSpec(
        name="qa-letter", summary="1 for the letter of the right option", load="harness_domains.qa.rewards:LetterReward"
    )
    yield RewardSpec(
        name="qa-short-answer",
        summary="1 for the text of the right option, in words",
        load="harness_domains.qa.rewards:ShortAnswerReward",
    )
