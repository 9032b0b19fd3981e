"""Nodes that depend on the score of the base model: if it fails, trainings of that domain are skipped."""

from __future__ import annotations

from harness.planning.node import Node
from harness.planning.nodes import EvaluateNode
from harness.planning.plan import Plan


def dependent_on_base_score(failed: Node, plan: Plan) -> frozenset[str]:
    """Returns the keys of the nodes, other than its descendants, that are skipped if `failed` fails.

    If `failed` evaluates the base model on a domain, these are the steps that train or recover the domain and the
    evaluations of other checkpoints on it, which would fail in the same way. For any other node, there are none.
    """
    if not (isinstance(failed, EvaluateNode) and failed.start == plan.base.key):
        return frozenset()
    return frozenset(key for key, node in plan.nodes.items() if key != failed.key and node.works_on(failed.domain))
