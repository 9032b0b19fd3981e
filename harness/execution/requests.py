"""What engines get for a node."""

from __future__ import annotations

from typing import Any

from harness.planning.node import Node
from harness.planning.plan import Plan
from harness.plugin.engine_interface import NodeRequest
from harness.protocol import Protocol


def request_of(node: Node, plan: Plan, protocol: Protocol, **further: Any) -> NodeRequest:
    """Returns the request for a node. further: the fields that do not follow from plan and protocol."""
    return NodeRequest(
        key=node.key,
        label=node.label,
        kind=node.kind,
        seed=node.seed,
        needs=frozenset(need for use in node.plugins(plan.domains) for need in use.needs),
        protocol=protocol.path,
        resources=protocol.resources_of(node),
        **further,
    )
