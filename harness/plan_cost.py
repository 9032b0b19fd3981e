"""What a plan costs: counts of its nodes and, where the configs say so, of optimizer steps and completions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from harness.nodes import EvaluateNode, Node, Plan, ProbeNode, RecoverNode, TrainNode


@dataclass(frozen=True, kw_only=True)
class PlanCost:
    """Counts over some of a plan's nodes. Optimizer steps and completions of configs that do not tell count as 0."""

    trainings: int = 0
    recoveries: int = 0
    evaluations: int = 0
    probes: int = 0
    optimizer_steps: int = 0
    completions: int = 0


def cost_of(plan: Plan, *, without: Collection[str] = ()) -> PlanCost:
    """Returns the cost of a plan's nodes, less those whose keys are in `without`."""
    nodes = [node for node in plan.nodes.values() if node.key not in without]
    configs = [config for node in nodes if (config := _training_config(node)) is not None]
    return PlanCost(
        trainings=_count(nodes, TrainNode),
        recoveries=_count(nodes, RecoverNode),
        evaluations=_count(nodes, EvaluateNode),
        probes=_count(nodes, ProbeNode),
        optimizer_steps=sum(_number(config, "steps") for config in configs),
        completions=sum(
            _number(config, "steps") * _number(config, "prompts_per_step") * _number(config, "generations")
            for config in configs
        ),
    )


def _count(nodes: Collection[Node], kind: type[Node]) -> int:
    return sum(isinstance(node, kind) for node in nodes)


def _training_config(node: Node) -> Mapping[str, Any] | None:
    """Returns the config of the algorithm that makes the node, None where none does."""
    if isinstance(node, TrainNode):
        return node.algorithm.config
    if isinstance(node, RecoverNode) and node.training is not None:
        return node.training.config
    return None


def _number(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
