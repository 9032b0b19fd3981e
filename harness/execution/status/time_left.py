"""Estimates the time that the rest of a run takes, from the durations of what it has computed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import fmean

from harness._util.content_key import canonical_json
from harness.execution.status.run_status import TimeLeft
from harness.planning.definitions import PARENT_PARTS
from harness.planning.node import Node
from harness.planning.nodes import StateNode
from harness.planning.plan import Plan
from harness.planning.schedule import schedule
from harness.planning.states import trained_again


@dataclass(frozen=True, kw_only=True)
class RunningNode:
    """A node that has run for some seconds. share: the part of its steps that are done, None if unknown."""

    seconds: float
    share: float | None = None

    @property
    def expected(self) -> float | None:
        """Its whole duration in seconds at its speed so far, None if unknown."""
        return self.seconds / self.share if self.share else None


def time_left(
    plan: Plan, left: Collection[str], durations: Mapping[str, float], running: Mapping[str, RunningNode], slots: int
) -> TimeLeft | None:
    """Returns the estimate for the nodes whose keys are in `left`; None if there are none or no duration is known.

    durations: of computed nodes, in seconds, by key. running: those of `left` that run now. A node is expected to take
    as long as those with the same definition, apart from parents and seed, and if there are none, as those of its kind.
    """
    expected = {key: whole for key, node in running.items() if (whole := node.expected) is not None}
    known = {key: value for key, value in (expected | dict(durations)).items() if key in plan.nodes}
    if not left or not known:
        return None
    alike, same_kind = defaultdict(list), defaultdict(list)
    for key, seconds in known.items():
        alike[_work(plan, plan.nodes[key])].append(seconds)
        same_kind[plan.nodes[key].kind].append(seconds)
    remaining: dict[str, float] = {}
    unmeasured: Counter[str] = Counter()
    again = trained_again(plan, plan.nodes.keys() - set(left))
    for key in left:
        node = plan.nodes[key]
        if isinstance(node, StateNode) and key not in again:
            remaining[key] = 0.0  # its training writes it
            continue
        node = again[key].training if key in again else node
        samples = [expected[key]] if key in expected else alike.get(_work(plan, node)) or same_kind.get(node.kind)
        unmeasured[node.kind] += not samples
        done = running[key].seconds if key in running else 0.0
        remaining[key] = max(0.0, fmean(samples) - done) if samples else 0.0
    found = schedule({key: plan.nodes[key].parents for key in remaining}, remaining, slots)
    return TimeLeft(
        seconds=found.makespan,
        critical_seconds=found.critical_length,
        critical_path=found.critical_path,
        unmeasured={kind: count for kind, count in unmeasured.items() if count},
    )


def _work(plan: Plan, node: Node) -> str:
    """Returns a text that is equal for nodes that do the same work on other checkpoints or with other seeds."""
    definition = plan.definition_of(node.key)
    return canonical_json({part: value for part, value in definition.items() if part not in {*PARENT_PARTS, "seed"}})
