"""Anchored training: GRPO that is pulled back toward the checkpoint that its step started from."""

from collections.abc import Iterator

from harness import AlgorithmSpec, hookimpl


@hookimpl
def harness_algorithms() -> Iterator[AlgorithmSpec]:
    yield AlgorithmSpec(
        name="anchored",
        summary="GRPO held near its step's start: by the KL, by L2, or by EWC over the domains trained before",
        load="harness_algorithms.anchored.algorithm:Anchored",
        config="harness_algorithms.anchored.config:AnchoredConfig",
        cite="Kirkpatrick et al. 2017, arXiv 1612.00796; Li et al. 2018, L2-SP, arXiv 1802.01483",
        replays=True,
    )
