"""A domain of the user's own prompts and answers, configured in YAML, rule rewards for any domain, and lm-eval's tasks
as columns."""

from __future__ import annotations

from collections.abc import Iterator

from harness import DomainSpec, RewardSpec, hookimpl


@hookimpl
def harness_domains() -> Iterator[DomainSpec]:
    yield DomainSpec(
        name="jsonl",
        summary="Your own prompts and answers: JSON lines, JSON, CSV, Parquet, or a data set of the hub",
        reward="exact-match",
        load="harness_domains.jsonl.domain:JsonlDomain",
        config="harness_domains.jsonl.config:JsonlConfig",
    )
    yield DomainSpec(
        name="lm_eval",
        summary="Any lm-eval task as an evaluation-only column: your own, or one of lm-eval's",
        reward="exact-match",
        trains=False,
        load="harness_domains.jsonl.lm_eval_task:LmEvalTask",
        config="harness_domains.jsonl.lm_eval_task:LmEvalTaskConfig",
    )


@hookimpl
def harness_rewards() -> Iterator[RewardSpec]:
    for name, rule, summary in (
        ("exact-match", "ExactMatch", "1 where the completion is the row's answer"),
        ("contains", "Contains", "1 where the completion has the row's answer in it"),
        ("regex", "Pattern", "1 where what a pattern finds last in the completion is the row's answer"),
        ("choice-letter", "ChoiceLetter", "1 where the letter that the completion settles on is the row's answer"),
    ):
        yield RewardSpec(
            name=name,
            summary=summary,
            load="harness_domains.jsonl.rewards:RuleReward",
            config=f"harness_domains.jsonl.rules:{rule}",
        )
