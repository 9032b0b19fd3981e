"""Replay: GRPO with a share of prompts, or of supervised examples, from the domains trained before."""

from collections.abc import Iterator

from harness import AlgorithmSpec, hookimpl


@hookimpl
def harness_algorithms() -> Iterator[AlgorithmSpec]:
    yield AlgorithmSpec(
        name="replay",
        summary="GRPO with a share of each batch's prompts from the domains trained before, with new completions",
        load="harness_algorithms.replay.algorithm:Replay",
        config="harness_algorithms.replay.config:ReplayConfig",
        replays=True,
        states=True,
    )
    yield AlgorithmSpec(
        name="replay-sft",
        summary="GRPO with a share of supervised training on its own best answers to prompts of domains trained before",
        load="harness_algorithms.replay.algorithm:ReplaySFT",
        config="harness_algorithms.replay.config:ReplaySFTConfig",
        cite="Chen et al. 2026, On-Policy Replay, arXiv 2605.29495",
        replays=True,
        states=True,
    )
