"""Gradient surgery on TRL's GRPO: computes one gradient per domain and projects conflicts away."""

from collections.abc import Iterator

from harness import AlgorithmSpec, hookimpl


@hookimpl
def harness_algorithms() -> Iterator[AlgorithmSpec]:
    yield AlgorithmSpec(
        name="pcgrad",
        summary="GRPO with conflicts between domain gradients projected away, over all parameters at once",
        load="harness_algorithms.surgery.algorithm:PCGrad",
        config="harness_algorithms.surgery.config:SurgeryConfig",
        cite="Yu et al. 2020, Gradient Surgery for Multi-Task Learning, arXiv 2001.06782",
        states=True,
    )
    yield AlgorithmSpec(
        name="mgs",
        summary="Modular Gradient Surgery: GRPO with conflicts projected away module by module",
        load="harness_algorithms.surgery.algorithm:ModularGradientSurgery",
        config="harness_algorithms.surgery.config:ModularSurgeryConfig",
        cite="Modular Gradient Surgery, arXiv 2602.02301",
        states=True,
    )
