"""The algorithms `pcgrad` and `mgs`: GRPO whose optimizer steps use a projected gradient."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from harness import StepResult, TrainingContext
from harness.training import TRLAlgorithm
from harness_algorithms.surgery.config import ModularSurgeryConfig, SurgeryConfig
from harness_algorithms.surgery.granularity import Granularity


class PCGrad(TRLAlgorithm):
    """PCGrad: projects conflicts away over the whole parameter vector (arXiv 2001.06782, algorithm 1)."""

    def __init__(self, config: SurgeryConfig) -> None:
        self.config = config

    def train(self, context: TrainingContext) -> StepResult:
        return _train(context, self.config, "global")


class ModularGradientSurgery(TRLAlgorithm):
    """Modular Gradient Surgery: projects conflicts away in each group of parameters (arXiv 2602.02301)."""

    def __init__(self, config: ModularSurgeryConfig) -> None:
        self.config = config

    def train(self, context: TrainingContext) -> StepResult:
        return _train(context, self.config, self.config.granularity)


def _train(context: TrainingContext, config: SurgeryConfig, granularity: Granularity) -> StepResult:
    from harness.training import train_with_trl
    from harness_algorithms.surgery.record import ConflictRecord
    from harness_algorithms.surgery.trainer import Surgery, SurgeryTrainer

    domains = tuple(domain.name for domain in context.domains)
    record = ConflictRecord(context.scratch / "conflicts.jsonl", domains)
    surgery = Surgery(domains=domains, granularity=granularity, seed=context.seed, record=record)
    result = train_with_trl(context, config, trainer_class=partial(SurgeryTrainer, surgery=surgery))
    return replace(result, report={**result.report, "conflict_by_module": record.by_module()})
