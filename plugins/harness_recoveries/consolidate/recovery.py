"""The recovery `consolidate`: measures the curvature of each stage, and merges the stages' checkpoints by it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from harness import (
    CheckpointError,
    Cost,
    LineageEntry,
    Problem,
    Recovery,
    RecoveryContext,
    StartContext,
    StepFailed,
    StepResult,
)
from harness.training import Kind, cached_gradients, tensor_sums
from harness.weights import (
    Curvature,
    Importance,
    WeightedMerge,
    WeightedModel,
    WeightFolder,
    check_gradient_names,
    floating_names,
    importance,
    merge_weighted,
)
from harness_recoveries.consolidate.config import ConsolidateConfig, StageError

_KINDS: Mapping[str, Kind] = {"policy-fisher": "fisher", "reward-fisher": "reward-fisher"}


class Consolidate(Recovery):
    """θ* = Σ_d F_d·θ_d / Σ_d F_d for each weight; θ_d: domain d's stage, F_d: its diagonal curvature there."""

    def __init__(self, config: ConsolidateConfig) -> None:
        self.config = config

    def faults_at_start(self, start: StartContext) -> Iterable[Problem]:
        """Yields nothing. Raises CheckpointError if the base model does not give gradients for all of its weights."""
        if self.config.weights in _KINDS:
            check_gradient_names(start.model, floating_names(WeightFolder(start.model)))
        return ()

    def recover(self, context: RecoveryContext) -> StepResult:
        started = time.monotonic()
        try:
            steps = self.config.steps_of([entry.label for entry in context.lineage], context.peaks)
        except StageError as error:
            raise StepFailed(str(error), hint=error.fault[2]) from error
        now = WeightFolder(context.checkpoint)
        entries = {domain: context.lineage[step] for domain, step in steps.items()}
        folders = {domain: _opened(domain, entry) for domain, entry in entries.items()}
        models, costs = [], {}
        for done, (domain, entry) in enumerate(entries.items()):
            context.progress(done, len(entries) + 1, {})
            weighted, costs[domain] = self._importance(context, domain, entry, now)
            models.append(WeightedModel(model=folders[domain], importance=weighted))
        context.progress(len(entries), len(entries) + 1, {})
        merged = merge_weighted(models, context.output, start=now)
        context.progress(len(entries) + 1, len(entries) + 1, {})
        return StepResult(
            cost=sum(costs.values(), Cost()),
            report={
                "weights": self.config.weights,
                "power": self.config.power,
                "granularity": self.config.granularity,
                "stages": {domain: {"step": entry.step, "label": entry.label} for domain, entry in entries.items()},
                **_shares(list(entries), merged),
                "without_curvature": [
                    domain for domain, one in zip(entries, models, strict=True) if not one.importance.known
                ],
                "coordinates": merged.differing,
                "all_coordinates": merged.coordinates,
                "norm": merged.norm,
                "completions": {domain: cost.completions for domain, cost in costs.items()},
                "seconds": round(time.monotonic() - started, 3),
            },
        )

    def _importance(
        self, context: RecoveryContext, domain: str, entry: LineageEntry, now: WeightFolder
    ) -> tuple[Importance, Cost]:
        config, factor = self.config, self.config.keep.get(domain, 1.0)
        if config.weights == "uniform":
            return Importance(factor=factor), Cost()
        counts = {name: now.place(name).count for name in floating_names(now)}
        check_gradient_names(entry.folder, counts)
        gradients, cost = cached_gradients(
            _KINDS[config.weights],
            context,
            checkpoint=entry,
            domain=context.domains[domain],
            count=config.completions,
        )
        curvature = Curvature(folder=gradients, sums=tensor_sums(gradients))
        return importance(
            curvature,
            counts,
            factor=factor,
            power=config.power,
            level=config.granularity,
            normalize=config.normalize,
        ), cost


def _opened(domain: str, entry: LineageEntry) -> WeightFolder:
    """Returns a stage's weights. Raises CheckpointError that names the stage if they are incomplete."""
    try:
        return WeightFolder(entry.folder)
    except CheckpointError as error:
        raise error.met_by(f"stage {domain} (step {entry.step}, {entry.label})") from error


def _shares(domains: list[str], merged: WeightedMerge) -> dict[str, Any]:
    """Returns the share of each stage in the merge, for all weights and by module."""
    return {
        "share": dict(zip(domains, merged.shares, strict=True)),
        "share_by_module": {
            module: dict(zip(domains, shares, strict=True)) for module, shares in merged.by_module.items()
        },
    }
