"""Titles of a plan's nodes for users. Recoveries with equal labels also show the settings that differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from harness.planning.node import Node
from harness.planning.nodes import EvaluateNode, RecoverNode, StateNode
from harness.planning.plan import Plan


def title_of(kind: str, label: str, seed: int) -> str:
    """Returns a node's title: its kind (unless the label starts with it), its label and its seed."""
    return f"{label if label.startswith(f'{kind} ') else f'{kind} {label}'} (seed {seed})"


def step_label(node: Node) -> str:
    """Returns the label of a method's step: `base`, `train math` or `recover math (refresh)`."""
    return f"train {node.label}" if node.kind == "train" else node.label


def titled(plan: Plan) -> dict[str, Node]:
    """Returns the plan's nodes by key, with labels for progress lines.

    If recoveries with the same label differ in settings, the values are added to their labels: `recover math (rollback
    fisher)`, `recover math (refresh steps=15)`. States and evaluations of these checkpoints are named
    accordingly.
    """
    alike: dict[str, list[RecoverNode]] = defaultdict(list)
    for node in plan.nodes.values():
        if isinstance(node, RecoverNode):
            alike[node.label].append(node)
    labels = {key: label for nodes in alike.values() for key, label in _with_settings(nodes)}
    for node in plan.nodes.values():
        if isinstance(node, StateNode) and node.training.key in labels:
            labels[node.key] = node.label.replace(node.training.label, labels[node.training.key])
    return {key: replace(node, label=_label(node, labels, plan)) for key, node in plan.nodes.items()}


def _label(node: Node, labels: Mapping[str, str], plan: Plan) -> str:
    if isinstance(node, EvaluateNode) and node.parents[0] in labels:
        return node.label.replace(plan.nodes[node.parents[0]].label, labels[node.parents[0]])
    return labels.get(node.key, node.label)


def _with_settings(nodes: Iterable[RecoverNode]) -> Iterable[tuple[str, str]]:
    settings = {node.key: _settings(node) for node in nodes}
    names = sorted({name for values in settings.values() for name in values})
    differing = [name for name in names if len({repr(values.get(name)) for values in settings.values()}) > 1]
    for node in nodes:
        shown = [_shown(name, settings[node.key].get(name)) for name in differing]
        yield node.key, f"{node.label.removesuffix(')')} {' '.join(shown)})" if shown else node.label


def _settings(node: RecoverNode) -> dict[str, Any]:
    training = dict(node.training.config) | {"algorithm": node.training.name} if node.training is not None else {}
    return training | dict(node.recovery.config)


def _shown(name: str, value: Any) -> str:
    return value if isinstance(value, str) else f"{name}={value}"


def waited_for(plan: Plan, key: str) -> str:
    """Returns the message of a process that waits for another one, which computes a result or a measurement that
    steps share."""
    node = plan.nodes.get(key)
    what = "a measurement that steps share" if node is None else node.label
    return f"waiting: another process computes {what} ({key[:12]})"
