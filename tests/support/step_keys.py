"""The keys of what a plan makes, to compare what protocols share in one store."""

from __future__ import annotations

from harness.planning.nodes import EvaluateNode, TrainNode
from harness.planning.plan import Plan


def step_keys(plan: Plan) -> dict[str, set[str]]:
    """Returns the keys of the trainings and of all scores, by method."""
    return {
        method.name: {
            made.key
            for key in method.lineage
            for made in (plan.nodes[key], *(plan.nodes[scored] for scored in plan.evaluations[key].values()))
            if isinstance(made, TrainNode | EvaluateNode)
        }
        for method in plan.methods
    }
