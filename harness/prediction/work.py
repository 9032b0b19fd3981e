"""A plan's prediction, seed by seed, and its check against a run: where models and stores are at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.checkpoint import check_checkpoint
from harness.checkpoint_forms import form_of
from harness.errors import UsageError
from harness.execution.parts import LazyDomains, Parts
from harness.nodes import BaseNode, Plan
from harness.prediction.agreement import Agreement
from harness.prediction.check import CheckedPair, check
from harness.prediction.matrix import Prediction
from harness.prediction.observed import ObservedPair
from harness.prediction.paces import paces_of
from harness.prediction.virtual_step import HORIZON, DomainMeasure, kl_on, predict
from harness.store import Store

if TYPE_CHECKING:
    from harness.registry import Registry


class PredictionWork:
    """Predicts for one plan.

    at: a model folder in the place of the base model. horizon: None for the default. tell: hears how far it is. Raises
    CheckpointError for a folder that holds no whole model.
    """

    def __init__(
        self,
        plan: Plan,
        registry: Registry,
        *,
        at: Path | None,
        completions: int,
        horizon: int | None,
        tell: Callable[[str], None],
    ) -> None:
        if at is not None:
            check_checkpoint(at)
        self._plan = plan
        self._parts = Parts(registry)
        self._at = at
        self._completions = completions
        self._horizon = HORIZON if horizon is None else horizon
        self._tell = tell
        self._measures: dict[int, dict[str, DomainMeasure]] = {}

    @cached_property
    def folder(self) -> Path:
        """The model folder that is predicted at."""
        if self._at is not None:
            return self._at
        return self._parts.base_folder(next(node for node in self._plan.nodes.values() if isinstance(node, BaseNode)))

    def predictions(self, *, keep: bool = False) -> dict[int, Prediction]:
        """Returns the prediction of each seed of the plan. keep: holds what a check needs of it, in memory."""
        domains = LazyDomains(self._plan.domains, self._parts)
        paces = paces_of(self._plan)
        found = {}
        for seed in self._plan.seeds:
            found[seed], measures = predict(
                self.folder,
                domains,
                paces,
                seed=seed,
                completions=self._completions,
                horizon=self._horizon,
                checkpoint="base" if self._at is None else str(self._at),
                progress=lambda done, total, name, seed=seed: self._tell(  # type: ignore[misc]
                    f"seed {seed}: {done} of {total}{f', {name}' if name else ''}"
                ),
            )
            if keep:
                self._measures[seed] = {name: one.without_gradients() for name, one in measures.items()}
        return found

    def check(
        self, predictions: Mapping[int, Prediction], observed: Sequence[ObservedPair], run: Path
    ) -> tuple[list[CheckedPair], list[Agreement]]:
        """Returns the observed pairs with what was predicted, and how well each predictor ordered them.

        The predictions were made with `keep`. Raises UsageError where the store beside the run lacks a checkpoint.
        """
        store = Store(run.resolve().parent / "store")

        def folder_of(key: str, *, base: bool = False) -> Path:
            if base and self._at is None:
                return self.folder
            stored = store.path(key) / "model"
            if not store.has(key) or form_of(stored) is not None:
                raise UsageError(
                    "the store does not hold this checkpoint as a whole model",
                    where=str(store.path(key)),
                    hint="edit norms and KL need it: run the protocol again, without lora",
                )
            return stored

        bases = {pair.before for pair in observed if pair.from_base}

        def divergence(pair: ObservedPair, after: Path) -> float:
            self._tell(f"KL on {pair.harmed} after {pair.trained}, seed {pair.seed}")
            return kl_on(after, self._measures[pair.seed][pair.harmed], self.folder)

        return check(predictions, observed, lambda key: folder_of(key, base=key in bases), divergence)
