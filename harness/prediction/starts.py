"""Where a prediction starts: the base model, a model folder, or each checkpoint from which a method of a run trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.planning.nodes import TrainNode
from harness.planning.plan import Plan
from harness.prediction.observed import ObservedPair

BASE = "base"


@dataclass(frozen=True, kw_only=True)
class Start:
    """A checkpoint that is predicted at, with one seed.

    name: for people. trained: the domains whose training is predicted, None for each. after: the key of the checkpoint
    that this training made in the run, None where the prediction is of no one training.
    """

    seed: int
    name: str
    folder: Path
    trained: tuple[str, ...] | None = None
    after: str | None = None

    def fits(self, pair: ObservedPair) -> bool:
        """Returns whether the prediction made here speaks of what was observed."""
        known = self.trained is None or pair.trained in self.trained
        return known and pair.seed == self.seed and self.after in (None, pair.after)


def starts_along(method: str, plan: Plan, seeds: Sequence[int], folder_of: Callable[[str], Path]) -> tuple[Start, ...]:
    """Returns a start for each training of one domain in the method of the run's `plan`, seed by seed.

    folder_of: the model folder of a checkpoint's key. Raises UsageError where the plan has no such method, or none of
    the seeds, or where the method trains no domain by itself.
    """
    lineages = {one.seed: one.lineage for one in plan.methods if one.name == method}
    if not lineages:
        raise UsageError(
            f"the run has no method {method!r}",
            where="--along",
            hint=f"its methods are {', '.join(dict.fromkeys(one.name for one in plan.methods))}",
        )
    starts: dict[tuple[int, str], Start] = {}
    for seed in seeds:
        for step, (before, after) in enumerate(zip(lineages.get(seed, ()), lineages.get(seed, ())[1:], strict=False)):
            node = plan.nodes[after]
            if not isinstance(node, TrainNode) or len(node.domains) != 1:
                continue
            at_base = before == plan.base.key
            starts[seed, after] = Start(
                seed=seed,
                name=BASE if at_base else f"{method} after {plan.nodes[before].label} (step {step})",
                folder=folder_of(before),
                trained=tuple(node.domains),
                after=after,
            )
    if not starts:
        raise UsageError(
            f"the method {method!r} has no training of one domain with a seed of this prediction",
            where="--along",
            hint=f"its seeds in the run are {', '.join(map(str, lineages))}",
        )
    return tuple(starts.values())
