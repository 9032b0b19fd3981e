"""The start of a prediction: the base model, a model folder, or each checkpoint from which a method trains."""

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
    """A checkpoint from which trainings are predicted, with one seed.

    name: shown to users. trained: the domains whose training is predicted, None for all. after: the key of the
    checkpoint after this training in the run, None if the prediction is not for a specific training.
    """

    seed: int
    name: str
    folder: Path
    trained: tuple[str, ...] | None = None
    after: str | None = None

    def fits(self, pair: ObservedPair) -> bool:
        """Returns whether the prediction at this start applies to the observed pair."""
        known = self.trained is None or pair.trained in self.trained
        return known and pair.seed == self.seed and self.after in (None, pair.after)


def starts_along(method: str, plan: Plan, seeds: Sequence[int], folder_of: Callable[[str], Path]) -> tuple[Start, ...]:
    """Returns a start for each training on a single domain in the method, for each seed.

    plan: the plan of the run. folder_of: returns the model folder of a checkpoint's key. Raises UsageError if the plan
    lacks the method or all of the seeds, or if the method has no training on a single domain.
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
            f"the method {method!r} has no training on a single domain with a seed of this prediction",
            where="--along",
            hint=f"its seeds in the run are {', '.join(map(str, lineages))}",
        )
    return tuple(starts.values())
