"""Measures the predictors of a plan at its starts, and matches them with what happened in a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.execution.checkpoints import CheckpointFolders
from harness.execution.plugin_instances import LazyDomains, PluginInstances
from harness.execution.run_folder import PLAN
from harness.execution.score_table import collect_scores
from harness.execution.store import Store
from harness.planning.nodes import TrainNode
from harness.planning.plan import Plan
from harness.planning.serialization import read_plan
from harness.prediction.check import CheckedPair
from harness.prediction.domain_measure import kl_on
from harness.prediction.matrix import Prediction, TrainingPace
from harness.prediction.observed import ObservedPair, observed_pairs
from harness.prediction.paces import pace_of, paces_of
from harness.prediction.pilots import Pilots, pilot_damage
from harness.prediction.predictors import Effort, before_training
from harness.prediction.starts import BASE, Start, starts_along
from harness.prediction.stored import Measured, stored
from harness.prediction.virtual_step import HORIZON, StartMeasure, predict
from harness.weights import WeightFolder, delta_summary
from harness.weights.model_folder import check_checkpoint, hash_checkpoint

if TYPE_CHECKING:
    from harness.plugin.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How predictions are measured. completions: sampled per domain. horizon: None for the default. pilot: the
    optimizer steps of a pilot, 0 for none."""

    completions: int
    horizon: int | None = None
    pilot: int = 0


class PredictionWork:
    """Predicts for one plan.

    run: the finished run to compare with, or None. tell: called with progress messages. Raises UsageError if the run's
    plan cannot be read.
    """

    def __init__(
        self, plan: Plan, registry: Registry, settings: Settings, *, run: Path | None, tell: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._plugins = PluginInstances(registry)
        self._settings = settings
        self._run = run
        self._ran = read_plan(run / PLAN) if run is not None else plan
        self._store = store = Store((run or Path()).resolve().parent / "store")
        self._checkpoints = CheckpointFolders(self._ran, store, registry, plugins=self._plugins)
        self._domains = LazyDomains(plan.domains, self._plugins, trained=plan.first_trainings())
        self._pilots = (
            Pilots(self._ran, registry, store, steps=settings.pilot, domains=plan.domains, harness=plan.harness)
            if settings.pilot
            else None
        )
        self._tell = tell

    def close(self) -> None:
        """Deletes restored models. The folders of starts must not be used afterwards."""
        self._checkpoints.close()
        if self._pilots is not None:
            self._pilots.close()

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods of the run, by name."""
        return tuple(dict.fromkeys(one.name for one in self._ran.methods))

    def starts(self, *, at: Path | None = None, along: Sequence[str] = ()) -> tuple[Start, ...]:
        """Returns the starts: the base model with each seed, the model folder `at`, or the checkpoint before each
        training of the run's methods `along`.

        Raises CheckpointError if the folder has no complete model, UsageError if the run has no such training.
        """
        if along:
            return starts_along(along, self._ran, self._plan.seeds, self._checkpoints.folder, self._store.has)
        if at is not None:
            check_checkpoint(at)
            return tuple(Start(seed=seed, name=str(at), folder=at) for seed in self._plan.seeds)
        folder = self._plugins.base_folder(self._plan.base)
        return tuple(Start(seed=seed, name=BASE, folder=folder) for seed in self._plan.seeds)

    def observed(self, starts: Sequence[Start]) -> dict[Start, list[ObservedPair]]:
        """Returns the observed pairs of the plan's domains whose training begins at one of the `starts`, by the first
        start that fits. Without a run, there are none, and none yet for a training along a method without scores.

        Starts are matched by their weights. Raises UsageError if the run has no such training, or a pilot is too long.
        """
        found: dict[Start, list[ObservedPair]] = {start: [] for start in starts}
        if self._run is None:
            return found
        digest = cache(lambda key: hash_checkpoint(self._checkpoints.folder(key)))
        given = {start: hash_checkpoint(start.folder) for start in starts if start.after is None and start.name != BASE}

        def begins(pair: ObservedPair, start: Start) -> bool:
            if start.after is not None:
                return True
            return pair.from_base if start.name == BASE else digest(pair.before) == given[start]

        for pair in observed_pairs(self._run, lambda: collect_scores(self._ran, self._store)):
            if pair.trained in self._plan.domains and pair.harmed in self._plan.domains:
                start = next((start for start in starts if start.fits(pair) and begins(pair, start)), None)
                if start is not None:
                    found[start].append(pair)
        if self._pilots is not None:
            for after in {key for start, pairs in found.items() for key in _trainings(start, pairs)}:
                self._pilots.check(after)
        if not any(_trainings(start, pairs) for start, pairs in found.items()):
            raise UsageError(
                f"the run has no training on a single domain from {starts[0].name} with a seed of this prediction",
                where=str(self._run),
                hint="select seeds with --seeds, a start with --at CHECKPOINT, or each training of a method with "
                "--along METHOD",
            )
        return found

    def measured(self, start: Start, observed: Sequence[ObservedPair]) -> tuple[Prediction, list[CheckedPair]]:
        """Returns the prediction at a start, and the observed pairs that begin there with the values of all predictors.

        What was measured for the trainings of a run does not depend on their scores, and is kept in the store. Raises
        StepFailed if the store of the run lacks a checkpoint.
        """
        trainings = _trainings(start, observed)
        if not trainings:
            return self._predicted(start).prediction, []
        measured = stored(
            self._store,
            lambda: self._measured(start, trainings),
            harness=self._plan.harness,
            checkpoint=self._ran.nodes[next(iter(trainings))].start,
            start=start.name,
            seed=start.seed,
            trained=start.trained,
            trainings=trainings,
            paces={name: asdict(pace) for name, pace in self._paces(start).items()},
            domains={name: use.definition() for name, use in self._plan.domains.items()},
            sampled_as={
                name: node.trained_with.definition()
                for name, node in self._plan.first_trainings().items()
                if node.trained_with is not None
            },
            settings=asdict(self._settings),
        )
        checked = [
            CheckedPair(
                pair=pair,
                predicted=measured.values[pair.after][pair.harmed],
                effort=self._effort(start, pair.trained),
            )
            for pair in observed
        ]
        return measured.prediction, checked

    def _predicted(self, start: Start, *, rivals: bool = False) -> StartMeasure:
        return predict(
            start.folder,
            self._domains,
            self._paces(start),
            seed=start.seed,
            completions=self._settings.completions,
            horizon=HORIZON if self._settings.horizon is None else self._settings.horizon,
            checkpoint=start.name,
            trained=start.trained,
            rivals=rivals,
            progress=lambda done, total, name: self._tell(
                f"seed {start.seed}, {start.name}: {done} of {total}{f', {name}' if name else ''}"
            ),
        )

    def _measured(self, start: Start, trainings: Mapping[str, str]) -> Measured:
        measure = self._predicted(start, rivals=True)
        of = {(pair.trained, pair.harmed): pair for pair in measure.prediction.pairs}
        values: dict[str, dict[str, dict[str, float]]] = {}
        for after, trained in trainings.items():
            harmed = [name for name in self._plan.domains if name != trained]
            piloted = self._piloted(start, measure, after, trained, harmed)
            afterwards = self._afterwards(start, measure, after, trained, harmed)
            values[after] = {
                name: {
                    **before_training(of[trained, name]),
                    **measure.rivals[trained, name],
                    **piloted[name],
                    **afterwards[name],
                }
                for name in harmed
            }
        return Measured(prediction=measure.prediction, values=values)

    def _piloted(
        self, start: Start, measure: StartMeasure, after: str, trained: str, harmed: Sequence[str]
    ) -> Mapping[str, Mapping[str, float]]:
        if self._pilots is None:
            return {name: {} for name in harmed}
        self._tell(f"seed {start.seed}, {start.name}: pilot")
        folder = self._pilots.folder(after)
        samples = {name: measure.samples[name] for name in harmed}
        factor = self._effort(start, trained).pace.steps / self._pilots.steps
        return pilot_damage(start.folder, folder, self._domains, samples, factor=factor)

    def _afterwards(
        self, start: Start, measure: StartMeasure, after: str, trained: str, harmed: Sequence[str]
    ) -> dict[str, dict[str, float]]:
        """Returns the values of the predictors that are known after the training, by harmed domain."""
        self._tell(f"seed {start.seed}, {start.name}: after {trained}")
        folder = self._checkpoints.folder(after)
        norm = delta_summary(WeightFolder(start.folder), WeightFolder(folder)).norm
        kl = {name: kl_on(folder, measure.samples[name].samples, start.folder) for name in (trained, *harmed)}
        return {name: {"edit norm": norm, "KL": kl[name], "KL on the trained domain": kl[trained]} for name in harmed}

    def _effort(self, start: Start, trained: str) -> Effort:
        return Effort(
            pace=self._paces(start)[trained],
            completions=self._settings.completions,
            domains=len(self._plan.domains),
            pilot=self._settings.pilot,
        )

    def _paces(self, start: Start) -> Mapping[str, TrainingPace]:
        """Returns the pace of each domain's training: that of the plan, or that of the run's training at the start."""
        paces = paces_of(self._plan)
        node = None if start.after is None else self._ran.nodes[start.after]
        if isinstance(node, TrainNode) and (own := pace_of(node)) is not None:
            paces |= dict.fromkeys(node.domains, own)
        return paces


def _trainings(start: Start, observed: Sequence[ObservedPair]) -> dict[str, str]:
    """Returns the trained domain of each training at the start, by the checkpoint after it: that which the start is
    for, or all that were observed."""
    if start.after is not None and start.trained is not None:
        return dict.fromkeys([start.after], start.trained[0])
    return {pair.after: pair.trained for pair in observed}
