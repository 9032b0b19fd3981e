"""The training pace of each domain of a protocol, which sets the length of the virtual updates."""

from __future__ import annotations

from harness.errors import UsageError
from harness.planning.nodes import TrainNode
from harness.planning.plan import Plan
from harness.prediction.matrix import TrainingPace

_ON_POLICY = ("learning_rate", "steps", "prompts_per_step", "generations")


def paces_of(plan: Plan) -> dict[str, TrainingPace]:
    """Returns the pace of the plan's first training of each domain. A domain that is never trained has the pace of the
    plan's first training.

    A training on several domains counts with its whole batch. Raises UsageError if no training step has a learning
    rate, steps and completions in its config.
    """
    found: dict[str, TrainingPace] = {}
    for node in plan.nodes.values():
        if isinstance(node, TrainNode) and (pace := pace_of(node)) is not None:
            for name in node.domains:
                found.setdefault(name, pace)
    if not found:
        raise UsageError(
            f"no training step of {plan.protocol} has {', '.join(_ON_POLICY)} in its config",
            hint="a prediction needs a policy-gradient training such as grpo",
        )
    first = next(iter(found.values()))
    return {name: found.get(name, first) for name in plan.domains}


def pace_of(node: TrainNode) -> TrainingPace | None:
    """Returns the pace of a training, None if its config lacks one of learning rate, steps and completions."""
    config = node.algorithm.config
    if any(key not in config for key in _ON_POLICY):
        return None
    return TrainingPace(
        learning_rate=float(config["learning_rate"]),
        steps=int(config["steps"]),
        completions_per_step=int(config["prompts_per_step"]) * int(config["generations"]),
    )
