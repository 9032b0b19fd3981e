"""Finds recoveries of a target that is not damaged, which would only undo what later trainings learned."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness._util.json_reading import parse_json
from harness.planning.nodes import RecoverNode
from harness.planning.plan import Plan

if TYPE_CHECKING:
    from harness.execution.store import Store
    from harness.planning.node import Node


@dataclass(frozen=True, kw_only=True)
class Undamaged:
    """A recovery whose target scores no worse before it than at its peak. Both scores as the tables show them; of
    several targets, the means."""

    label: str
    seed: int
    target: str
    peak: float
    present: float
    higher_is_better: bool = True

    def __str__(self) -> str:
        side = "below" if self.higher_is_better else "above"
        return (
            f"{self.label} (seed {self.seed}): the score of {self.target} is {self.present:.4g} and not {side} its"
            f" peak, {self.peak:.4g}: there is nothing to recover, and the recovery may undo what was learned since"
        )


def undamaged_target(node: Node, plan: Plan, store: Store) -> Undamaged | None:
    """Returns what to say of a recovery whose target is not damaged; None where it is, where the scores are not known,
    and for any other step."""
    if not isinstance(node, RecoverNode):
        return None
    peak = _mean({name: node.lineage[node.peaks[name]] for name in node.targets}, plan, store)
    present = _mean(dict.fromkeys(node.targets, node.parents[-1]), plan, store)
    if peak is None or present is None:
        return None
    higher = present[1]
    if (present[0] < peak[0]) if higher else (present[0] > peak[0]):
        return None
    return Undamaged(
        label=node.label,
        seed=node.seed,
        target=" and ".join(node.targets),
        peak=peak[0],
        present=present[0],
        higher_is_better=higher,
    )


def undamaged_targets(plan: Plan, store: Store, *, without: Collection[str] = ()) -> Iterator[Undamaged]:
    """Yields the recoveries of a plan whose targets are not damaged, as far as the store has their scores.

    without: keys of nodes that are left out.
    """
    found = (undamaged_target(node, plan, store) for key, node in plan.nodes.items() if key not in without)
    return (undamaged for undamaged in found if undamaged is not None)


def _mean(checkpoints: Mapping[str, str], plan: Plan, store: Store) -> tuple[float, bool] | None:
    """Returns the mean score of the targets, each of its checkpoint, where higher is better; or of the only one."""
    found = [_score(checkpoint, name, plan, store) for name, checkpoint in checkpoints.items()]
    known = [score for score in found if score is not None]
    counted = [value for value, higher in known if higher] or [value for value, _ in known]
    if len(known) < len(found):
        return None
    return sum(counted) / len(counted), any(higher for _, higher in known)


def _score(checkpoint: str, domain: str, plan: Plan, store: Store) -> tuple[float, bool] | None:
    """Returns a checkpoint's score on a domain, the mean of its primary measurements, and whether higher is better."""
    evaluation = plan.evaluations.get(checkpoint, {}).get(domain)
    if evaluation is None or not store.has(evaluation):
        return None
    try:
        rows = parse_json((store.path(evaluation) / "rows.json").read_bytes())
        counted = [row for row in rows if row["primary"]]
        values = [float(row["value"]) * (100 if row["percent"] else 1) for row in counted]
        directions = {bool(row["higher_is_better"]) for row in counted}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if len(directions) != 1 or not all(map(math.isfinite, values)):
        return None
    return sum(values) / len(values), directions.pop()
