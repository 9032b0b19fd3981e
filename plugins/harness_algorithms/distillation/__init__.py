"""On-policy distillation from earlier checkpoints of a method."""

from collections.abc import Iterator

from harness import AlgorithmSpec, hookimpl


@hookimpl
def harness_algorithms() -> Iterator[AlgorithmSpec]:
    yield AlgorithmSpec(
        name="distillation",
        summary="On-policy distillation: each domain's last checkpoint teaches on its prompts",
        load="harness_algorithms.distillation.algorithm:Distillation",
        config="harness_algorithms.distillation.config:DistillationConfig",
        states=True,
        cite="Agarwal et al. 2024, On-Policy Distillation of Language Models, arXiv 2306.13649",
    )
