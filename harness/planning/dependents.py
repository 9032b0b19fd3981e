"""What has to be computed before a node: its parents, the score of the base model on its domain, and earlier states.

If the base model cannot be scored on a domain, trainings of that domain are skipped. The states of a training come one
after another, because the first that is missing computes the others too.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.planning.node import Node
from harness.planning.nodes import EvaluateNode, StateNode
from harness.planning.plan import Plan


def dependent_nodes(failed: Node, plan: Plan) -> frozenset[str]:
    """Returns the keys of the nodes, other than its descendants, that are skipped if `failed` fails.

    If `failed` evaluates the base model on a domain, these are the steps that train or recover the domain and the
    evaluations of other checkpoints on it, which would fail in the same way; for a state within a training, the later
    states. For any other node, there are none.
    """
    if isinstance(failed, StateNode):
        states = plan.states[failed.training.key]
        return frozenset(state.key for state in states if state.optimizer_step > failed.optimizer_step)
    if not (isinstance(failed, EvaluateNode) and failed.start == plan.base.key):
        return frozenset()
    return frozenset(key for key, node in plan.nodes.items() if key != failed.key and node.works_on(failed.domain))


def first_needed(plan: Plan, keys: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Returns for each of the given nodes the keys of the nodes that must be computed before it starts."""
    asked = list(keys)
    found = {key: list(plan.nodes[key].parents) for key in asked}
    for key in asked:
        for dependent in dependent_nodes(plan.nodes[key], plan) & found.keys():
            found[dependent].append(key)
    return {key: tuple(needed) for key, needed in found.items()}
