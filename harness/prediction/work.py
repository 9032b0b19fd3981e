"""Computes the predictions of a plan at its starts and compares them with a run, using models from stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.execution.checkpoints import CheckpointFolders
from harness.execution.plugin_instances import LazyDomains, PluginInstances
from harness.execution.run_folder import PLAN
from harness.execution.store import Store
from harness.planning.plan import Plan
from harness.planning.serialization import read_plan
from harness.prediction.agreement import Agreement
from harness.prediction.check import CheckedPair, check
from harness.prediction.matrix import Prediction
from harness.prediction.observed import ObservedPair, observed_pairs
from harness.prediction.paces import paces_of
from harness.prediction.starts import BASE, Start, starts_along
from harness.prediction.virtual_step import HORIZON, kl_on, predict
from harness.weights.model_folder import check_checkpoint, hash_checkpoint

if TYPE_CHECKING:
    from harness.plugin.registry import Registry
    from harness.training.sampling import Sample


class PredictionWork:
    """Predicts for one plan.

    run: the finished run to compare with, or None. horizon: None for the default. tell: called with progress messages.
    Raises UsageError if the run's plan cannot be read.
    """

    def __init__(
        self,
        plan: Plan,
        registry: Registry,
        *,
        run: Path | None,
        completions: int,
        horizon: int | None,
        tell: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._plugins = PluginInstances(registry)
        self._run = run
        self._ran = read_plan(run / PLAN) if run is not None else plan
        store = Store((run or Path()).resolve().parent / "store")
        self._checkpoints = CheckpointFolders(self._ran, store, registry, plugins=self._plugins)
        self._completions = completions
        self._horizon = HORIZON if horizon is None else horizon
        self._tell = tell
        self._samples: dict[Start, dict[str, tuple[Sample, ...]]] = {}

    def close(self) -> None:
        """Deletes restored models. The folders of starts must not be used afterwards."""
        self._checkpoints.close()

    def starts(self, *, at: Path | None = None, along: str | None = None) -> tuple[Start, ...]:
        """Returns the starts: the base model with each seed, the model folder `at`, or the checkpoint before each
        training of the run's method `along`.

        Raises CheckpointError if the folder has no complete model, UsageError if the run does not have the method.
        """
        if along is not None:
            return starts_along(along, self._ran, self._plan.seeds, self._checkpoints.folder)
        if at is not None:
            check_checkpoint(at)
            return tuple(Start(seed=seed, name=str(at), folder=at) for seed in self._plan.seeds)
        folder = self._plugins.base_folder(self._plan.base)
        return tuple(Start(seed=seed, name=BASE, folder=folder) for seed in self._plan.seeds)

    def observed(self, starts: Sequence[Start]) -> list[ObservedPair]:
        """Returns the observed pairs of the plan's domains whose training begins at one of the `starts`.

        Starts are matched by their weights. Raises UsageError if there are no such pairs.
        """
        if self._run is None:
            return []
        digest = cache(lambda key: hash_checkpoint(self._checkpoints.folder(key)))
        given = {start: hash_checkpoint(start.folder) for start in starts if start.after is None and start.name != BASE}

        def begins(pair: ObservedPair, start: Start) -> bool:
            if start.after is not None:
                return True
            return pair.from_base if start.name == BASE else digest(pair.before) == given[start]

        found = [
            pair
            for pair in observed_pairs(self._run)
            if pair.trained in self._plan.domains
            and pair.harmed in self._plan.domains
            and any(start.fits(pair) and begins(pair, start) for start in starts)
        ]
        if not found:
            raise UsageError(
                f"the run has no training on a single domain from {starts[0].name} with a seed of this prediction",
                where=str(self._run),
                hint="select seeds with --seeds, a start with --at CHECKPOINT, or each training of a method with "
                "--along METHOD",
            )
        return found

    def predictions(self, starts: Sequence[Start]) -> dict[Start, Prediction]:
        """Returns the prediction at each start. With a run, the data for its check are kept in memory."""
        domains = LazyDomains(self._plan.domains, self._plugins, trained=self._plan.first_trainings())
        paces = paces_of(self._plan)
        found = {}
        for start in starts:
            found[start], samples = predict(
                start.folder,
                domains,
                paces,
                seed=start.seed,
                completions=self._completions,
                horizon=self._horizon,
                checkpoint=start.name,
                trained=start.trained,
                progress=lambda done, total, name, start=start: self._tell(  # type: ignore[misc]
                    f"seed {start.seed}, {start.name}: {done} of {total}{f', {name}' if name else ''}"
                ),
            )
            if self._run is not None:
                self._samples[start] = samples
        return found

    def check(
        self, predictions: Mapping[Start, Prediction], observed: Sequence[ObservedPair]
    ) -> tuple[list[CheckedPair], list[Agreement]]:
        """Returns the observed pairs with their predictions, and the agreement of each predictor.

        Raises StepFailed if the store of the run lacks a checkpoint.
        """

        def divergence(pair: ObservedPair, start: Start, after: Path) -> float:
            self._tell(f"KL on {pair.harmed} after {pair.trained}, seed {pair.seed}")
            return kl_on(after, self._samples[start][pair.harmed], start.folder)

        return check(predictions, observed, self._checkpoints.folder, divergence)

    def _base(self, plan: Plan) -> Path:
        return self._plugins.base_folder(plan.base)
