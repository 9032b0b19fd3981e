"""The curves of a run: where each point is stored, by the nodes that compute them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness._util.json_reading import parse_json
from harness.execution.status.live_metrics import numbers
from harness.execution.store import Store
from harness.planning.node import StepNode
from harness.planning.nodes import StateNode
from harness.planning.plan import Plan
from harness.planning.titles import title_of, titled
from harness.plugin.observer_interface import Curve, Points


@dataclass(frozen=True, kw_only=True)
class Source:
    """The points of a curve that one node computes.

    name: identifies it in the journal. step: the step of a score; None for the metrics of a training. column: the
    domain of a score.
    """

    name: str
    curve: Curve = field(compare=False)
    key: str
    step: int | None = None
    column: str = ""

    def read(self, store: Store) -> tuple[Points, bool]:
        """Returns the points that exist now, and whether they are all."""
        done = store.has(self.key)
        if self.step is not None:
            return (_score(store.path(self.key) / "rows.json", self.step, self.column), True) if done else ((), False)
        folder = store.path(self.key) if done else store.root / ".scratch" / self.key
        return _metrics(folder / "metrics.jsonl"), done


def sources_of(plan: Plan) -> list[Source]:
    """Returns the sources of all curves of a plan."""
    return [*_trainings(plan), *_scores(plan)]


def _trainings(plan: Plan) -> Iterator[Source]:
    shown = titled(plan)
    titles = {node.key: title_of(node.kind, shown[node.key].label, node.seed) for node in plan.steps}
    alike = Counter(titles.values())  # such as trainings of one domain from different checkpoints
    for node in plan.steps:
        if isinstance(node, StateNode):
            continue  # its training has the metrics
        title = titles[node.key]
        curve = Curve(
            key=node.key[:16],
            name=title if alike[title] == 1 else f"{title} {node.key[:8]}",
            kind=node.kind,
            seed=node.seed,
            labels={"label": node.label, "methods": ", ".join(_methods_with(node, plan))},
        )
        yield Source(name=node.key, curve=curve, key=node.key)


def _methods_with(node: StepNode, plan: Plan) -> Iterable[str]:
    return dict.fromkeys(method.name for method in plan.methods if node.key in plan.steps_behind(method.lineage[-1]))


def _scores(plan: Plan) -> Iterator[Source]:
    for method in plan.methods:
        curve = Curve(
            key=f"{method.lineage[-1][:16]}-{''.join(c if c.isalnum() else '-' for c in method.name)}-{method.seed}",
            name=f"scores of {method.name} (seed {method.seed})",
            kind="scores",
            seed=method.seed,
            labels={"method": method.name},
        )
        for step, checkpoint in enumerate(method.lineage):
            for domain, key in plan.evaluations.get(checkpoint, {}).items():
                name = f"{method.name}/{method.seed}/{step}/{domain}"
                yield Source(name=name, curve=curve, key=key, step=step, column=domain)


def _metrics(path: Path) -> Points:
    """Returns the complete lines of a `metrics.jsonl`, by step, each step once."""
    points: dict[int, Mapping[str, float]] = {}
    for row in _rows(path):
        step = row.pop("step", None)
        if isinstance(step, int) and step > max(points, default=-1):
            points[step] = numbers(row)
    return list(points.items())


def _rows(path: Path) -> Iterator[dict[str, object]]:
    try:
        content = path.read_bytes()
    except OSError:  # the node has just ended, or has not started
        return
    for line in content[: content.rfind(b"\n") + 1].splitlines():
        try:
            row = parse_json(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def _score(path: Path, step: int, column: str) -> Points:
    """Returns the primary score in a `rows.json`, in the unit of lm-eval."""
    try:
        [value] = [float(row["value"]) for row in parse_json(path.read_bytes()) if row["primary"]]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return [(step, {column: value})]
