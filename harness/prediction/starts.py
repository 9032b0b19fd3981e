"""The start of a prediction: the base model, a model folder, or each checkpoint from which a method trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
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


def starts_along(
    methods: Sequence[str],
    plan: Plan,
    seeds: Sequence[int],
    folder_of: Callable[[str], Path],
    has: Callable[[str], bool],
) -> tuple[Start, ...]:
    """Returns a start for each training on a single domain in the methods, for each seed. Methods may share trainings.

    plan: the plan of the run. folder_of: returns the model folder of a checkpoint's key. has: whether the checkpoint
    exists; a run that is not finished lacks some. Raises UsageError if the plan lacks the methods or all of the seeds,
    or if the methods have no training on a single domain.
    """
    starts: dict[str, Start] = {}
    for method in (one for one in plan.methods if one.name in methods and one.seed in seeds):
        for step, (before, after) in enumerate(pairwise(method.lineage)):
            node = plan.nodes[after]
            if not isinstance(node, TrainNode) or len(node.domains) != 1 or after in starts or not has(after):
                continue
            starts[after] = Start(
                seed=method.seed,
                name=BASE
                if before == plan.base.key
                else f"{method.name} after {plan.nodes[before].label} (step {step})",
                folder=folder_of(before),
                trained=tuple(node.domains),
                after=after,
            )
    if not starts:
        known = dict.fromkeys(str(one.seed) for one in plan.methods if one.name in methods)
        raise UsageError(
            f"the method {', '.join(methods)} has no training on a single domain with a seed of this prediction",
            where="--along",
            hint=f"its seeds in the run are {', '.join(known)}",
        )
    return tuple(starts.values())
