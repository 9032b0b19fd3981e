"""Explains why a node must be computed: how its definition differs from the most similar stored result."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.planning.definitions import PARENT_PARTS
from harness.planning.node import Node
from harness.planning.nodes import EvaluateNode, StateNode
from harness.planning.plan import Plan
from harness.planning.titles import title_of

if TYPE_CHECKING:
    from harness.execution.store import Store

Path = tuple[str, ...]
Leaves = Mapping[Path, str]

_DATA = {"fingerprint": "data", "reward_fingerprint": "files of the reward"}
_LONGEST = 60


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why the node `key` must be computed.

    differences: to the definition of the most similar stored result `nearest`, as text; empty without one. parents: the
    labels of its parents that must be computed as well.
    """

    key: str
    kind: str
    label: str
    seed: int
    nearest: str | None
    differences: tuple[str, ...]
    parents: tuple[str, ...]

    def __str__(self) -> str:
        causes = list(self.differences)
        if self.parents:
            causes.append(f"its parent {', '.join(self.parents)} must be computed")
        elif self.nearest is None and not causes:
            causes.append("the store has no earlier result to compare it with")
        return f"{title_of(self.kind, self.label, self.seed)}: {'; '.join(causes) or 'its stored result is damaged'}"


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The reasons for all missing nodes. undefined: the number of stored results without a definition, which were not
    compared."""

    reasons: tuple[Reason, ...]
    undefined: int


def explain(plan: Plan, store: Store, done: Collection[str]) -> Explanation:
    """Returns the reason for each node that is not `done`, in the order of the plan."""
    stored: dict[str, list[tuple[str, Leaves, Mapping[str, Any]]]] = defaultdict(list)
    undefined = 0
    for key in store.results():
        document = store.definition(key)
        if document is None or not isinstance(document.get("definition"), dict):
            undefined += 1
            continue
        if key in plan.nodes:
            continue  # a node of this plan is not an earlier version of a missing one
        definition = document["definition"]
        stored[str(definition.get("kind"))].append((key, _leaves(definition), document))
    to_do = [node for node in plan.results if node.key not in done]
    waiting = {node.key for node in to_do}
    reasons = tuple(_reason(plan, node, waiting, stored[node.kind]) for node in to_do)
    return Explanation(reasons=reasons, undefined=undefined)


def _reason(
    plan: Plan, node: Node, waiting: Collection[str], stored: list[tuple[str, Leaves, Mapping[str, Any]]]
) -> Reason:
    definition = plan.definition_of(node.key)
    mine = _leaves(definition)
    parents = tuple(dict.fromkeys(_title(plan, plan.nodes[key]) for key in node.parents if key in waiting))
    # A lineage lists all checkpoints; the last one is the start of the step.
    if isinstance(node, StateNode):  # its definition says no more than its parents
        stored = []
    nearest = min(stored, key=lambda one: (len(mine.items() ^ one[1].items()), one[0]), default=None)
    differences: list[str] = []
    if isinstance(node, StateNode) and not parents:
        differences = ["its training was stored without it and runs again"]
    if nearest is not None:
        _, theirs, document = nearest
        name = node.domain if isinstance(node, EvaluateNode) else None
        differences = list(dict.fromkeys(_differences(theirs, mine, name)))
        if any(path[0] in PARENT_PARTS for path, _ in mine.items() ^ theirs.items()) and not parents:
            before, now = _leaves(document.get("base") or {}), _leaves(plan.definition_of(plan.base.key))
            model = [] if plan.base.key not in node.parents or before == now else list(_differences(before, now, None))
            differences += model or ["it starts from another checkpoint"]
    return Reason(
        key=node.key,
        kind=node.kind,
        label=_title(plan, node),
        seed=node.seed,
        nearest=None if nearest is None else nearest[0],
        differences=tuple(dict.fromkeys(differences)),
        parents=parents[-1:],
    )


def _title(plan: Plan, node: Node) -> str:
    """Returns the title of a node, with the checkpoint that it starts from."""
    if node.kind != "train":
        return node.label
    return node.label if node.start == plan.base.key else f"{node.label} after {plan.nodes[node.start].label}"


def _leaves(value: Any, at: Path = ()) -> dict[Path, str]:
    """Returns the values of a definition as JSON text, by their paths in terms of the protocol."""
    if isinstance(value, Mapping) and value:
        # A plugin and its config share a path, and so do a domain and its plugin, so their names are redundant.
        inlined: str | None = None
        left = None if at else "kind"
        if "identity" in value and "config" in value:
            inlined, left = "config", "kind"
        elif "plugin" in value and "reward" in value:
            inlined, left = "plugin", "name"
            at = ("domains", str(value["name"])) if at == ("target",) or at[:1] == ("targets",) else at
        found: dict[Path, str] = {}
        for key, item in value.items():
            if key != left:
                found |= _leaves(item, at if key == inlined else (*at, str(key)))
        return found
    if isinstance(value, list) and value:
        found = {}
        for index, item in enumerate(value):
            named = isinstance(item, Mapping) and "name" in item
            found |= _leaves(item, (*at, str(item["name"] if named else index)))
        return found
    return {at: json.dumps(value, ensure_ascii=False)}


def _differences(before: Leaves, now: Leaves, domain: str | None) -> Iterator[str]:
    """Yields the differences as text. domain: the name of the definition's only domain, if it has one."""
    domains_before, domains_now = (
        {path[1] for path in leaves if path[0] == "domains" and len(path) > 1} for leaves in (before, now)
    )
    for name in sorted(domains_now ^ domains_before):
        yield f"domain {name} {'added' if name in domains_now else 'removed'}"
    changed = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
    other = {path[:-1] for path in changed if path[-1] == "identity" and _plugin(before, path) != _plugin(now, path)}
    for path in changed:
        if path[0] in PARENT_PARTS or (
            path[0] == "domains" and len(path) > 1 and path[1] in domains_now ^ domains_before
        ):
            continue
        old, new = before.get(path), now.get(path)
        if path[0] == "harness" or path[-1] == "identity":
            yield _identity(path, old, new)
        elif any(path[: len(place)] == place for place in other):
            continue  # different plugins have different settings
        elif path[-2:-1] == ("reward_fingerprints",):
            yield f"files of the reward {'.'.join(path[:-2])}.{path[-1]}: changed"
        elif path[-1] in _DATA:
            owner = domain or (path[1] if path[0] == "domains" else "the model")
            what = "files" if owner == "the model" else _DATA[path[-1]]
            yield f"{what} of {owner}: changed"
        else:
            place = ("domains", domain, *path[1:]) if domain is not None and path[0] == "domain" else path
            yield f"{'.'.join(place)} {_short(old)} → {_short(new)}"


def _plugin(leaves: Leaves, path: Path) -> str | None:
    found = leaves.get(path)
    return None if found is None else found.partition("@")[0]


def _identity(path: Path, old: str | None, new: str | None) -> str:
    """Returns how an identity `distribution:name@version+src.digest` changed, as text."""
    (name_before, _, rest_before), (name, _, rest) = (
        str(json.loads(text or '""')).partition("@") for text in (old, new)
    )
    subject = "harness" if path[0] == "harness" else f"plugin {name}"
    if name_before != name:
        return f"{'.'.join(path[:-1]) or path[0]}: plugin {name_before or 'none'} → {name or 'none'}"
    version_before, version = (text.partition("+src.")[0] for text in (rest_before, rest))
    if version_before != version:
        return f"{subject}: version {version_before} → {version}"
    return f"{subject}: source changed"


def _short(text: str | None) -> str:
    if text is None:
        return "not set"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
