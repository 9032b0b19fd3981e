"""Chat: what people really ask an assistant, rewarded by a reward model."""

from __future__ import annotations

from collections.abc import Iterator

from harness import DomainSpec, hookimpl


@hookimpl
def harness_domains() -> Iterator[DomainSpec]:
    yield DomainSpec(
        name="chat",
        summary="Requests of real users to an assistant (the WildChat-IF prompts of Tülu 3, or your own)",
        reward="reward-model",
        load="harness_domains.chat.domain:Chat",
        config="harness_domains.chat.config:ChatConfig",
    )
