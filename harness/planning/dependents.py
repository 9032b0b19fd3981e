"""What depends on the score of the base model: where it cannot be had, no training for that domain is started."""

from __future__ import annotations

from harness.planning.nodes import BaseNode, EvaluateNode, Node, Plan, RecoverNode, trained_by


def dependent_on_base_score(failed: Node, plan: Plan) -> frozenset[str]:
    """Returns the keys of what is not started where `failed` cannot be made, beside its descendants.

    Where `failed` scores the base model on a domain, these are the steps that train or recover the domain, and the
    scorings of other checkpoints on it, which would fail alike. For any other node there are none.
    """
    if not (isinstance(failed, EvaluateNode) and isinstance(plan.nodes[failed.parents[0]], BaseNode)):
        return frozenset()
    return frozenset(node.key for node in plan.nodes.values() if node.key != failed.key and _is_of(node, failed.domain))


def _is_of(node: Node, domain: str) -> bool:
    if isinstance(node, EvaluateNode):
        return node.domain == domain
    return domain in trained_by(node) or (isinstance(node, RecoverNode) and node.target == domain)
