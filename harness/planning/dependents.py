"""What depends on the score of the base model: where it cannot be had, no training for that domain is started."""

from __future__ import annotations

from harness.planning.node import Node
from harness.planning.nodes import EvaluateNode
from harness.planning.plan import Plan


def dependent_on_base_score(failed: Node, plan: Plan) -> frozenset[str]:
    """Returns the keys of what is not started where `failed` cannot be made, beside its descendants.

    Where `failed` scores the base model on a domain, these are the steps that train or recover the domain, and the
    scorings of other checkpoints on it, which would fail alike. For any other node there are none.
    """
    if not (isinstance(failed, EvaluateNode) and failed.start == plan.base.key):
        return frozenset()
    return frozenset(key for key, node in plan.nodes.items() if key != failed.key and node.works_on(failed.domain))
