"""GRPO on TRL's trainer, one domain or several in one step."""

from collections.abc import Iterator

from harness import AlgorithmSpec, hookimpl


@hookimpl
def harness_algorithms() -> Iterator[AlgorithmSpec]:
    yield AlgorithmSpec(
        name="grpo",
        summary="Group relative policy optimization; several domains are mixed within each step",
        load="harness_grpo.algorithm:GRPO",
        config="harness.training:PolicyGradientConfig",
        cite="Shao et al. 2024, DeepSeekMath, arXiv 2402.03300",
    )
