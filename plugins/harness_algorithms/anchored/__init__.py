"""Anchored training: GRPO with a penalty on the distance from the checkpoint that the step starts from."""

from collections.abc import Iterator

from harness import AlgorithmSpec, hookimpl


@hookimpl
def harness_algorithms() -> Iterator[AlgorithmSpec]:
    yield AlgorithmSpec(
        name="anchored",
        summary="GRPO with a penalty on the distance from the step's start: KL, L2, or EWC over earlier domains",
        load="harness_algorithms.anchored.algorithm:Anchored",
        config="harness_algorithms.anchored.config:AnchoredConfig",
        cite="Kirkpatrick et al. 2017, arXiv 1612.00796; Li et al. 2018, L2-SP, arXiv 1802.01483",
        replays=True,
        states=True,
    )
