"""GRPO and RLOO with TRL's trainers, on one domain or several in a step."""

from collections.abc import Iterator

from harness import AlgorithmSpec, hookimpl


@hookimpl
def harness_algorithms() -> Iterator[AlgorithmSpec]:
    yield AlgorithmSpec(
        name="grpo",
        summary="Group relative policy optimization; several domains are mixed within each step",
        load="harness_algorithms.grpo.algorithm:GRPO",
        config="harness.training:PolicyGradientConfig",
        cite="Shao et al. 2024, DeepSeekMath, arXiv 2402.03300",
        states=True,
    )
    yield AlgorithmSpec(
        name="rloo",
        summary="REINFORCE with the mean reward of a prompt's other completions as the baseline",
        load="harness_algorithms.grpo.algorithm:RLOO",
        config="harness_algorithms.grpo.config:RLOOConfig",
        cite="Ahmadian et al. 2024, Back to Basics, arXiv 2402.14740",
        states=True,
    )
