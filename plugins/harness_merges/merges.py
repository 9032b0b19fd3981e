"""The merges: each a formula of `harness.weights.merging` with the settings of its paper."""

from __future__ import annotations

from collections.abc import Callable

from harness import Merge, MergeContext, NoConfig, StepResult
from harness.weights import EditMerge, LargestMagnitudes, RandomDrop, merge_edits, merge_linear
from harness_merges.config import DareConfig, TaskArithmeticConfig, TiesConfig
from harness_merges.experts import opened


class Linear(Merge):
    """Σ wᵢ·θᵢ / Σ wᵢ (arXiv 2203.05482): the base has no part in it."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def merge(self, context: MergeContext) -> StepResult:
        base, experts = opened(context)
        merge_linear(experts, context.output, base=base, told=_told(context))
        return StepResult()


class TaskArithmetic(Merge):
    """θ₀ + λ·Σ wᵢ·τᵢ, τᵢ = θᵢ − θ₀ (arXiv 2212.04089, section 2); divided by Σ wᵢ with `normalize`."""

    def __init__(self, config: TaskArithmeticConfig) -> None:
        self.config = config

    def merge(self, context: MergeContext) -> StepResult:
        return _merged(context, EditMerge(normalize=self.config.normalize, scale=self.config.scale))


class Ties(Merge):
    """θ₀ + λ·τ, τ the mean of the trimmed edits that have the elected sign (arXiv 2306.01708, section 4)."""

    def __init__(self, config: TiesConfig) -> None:
        self.config = config

    def merge(self, context: MergeContext) -> StepResult:
        method = EditMerge(
            sparsity=LargestMagnitudes(self.config.density),
            elect=True,
            normalize=self.config.normalize,
            scale=self.config.scale,
        )
        return _merged(context, method)


class Dare(Merge):
    """Task arithmetic over edits of which each coordinate stays with probability `density` (arXiv 2311.03099)."""

    elect = False

    def __init__(self, config: DareConfig) -> None:
        self.config = config

    def merge(self, context: MergeContext) -> StepResult:
        method = EditMerge(
            sparsity=RandomDrop(self.config.density, seed=context.seed, rescale=self.config.rescale),
            elect=self.elect,
            normalize=self.config.normalize,
            scale=self.config.scale,
        )
        return _merged(context, method)


class DareTies(Dare):
    """As `Dare`, with the sign of every coordinate elected as by TIES."""

    elect = True


def _merged(context: MergeContext, method: EditMerge) -> StepResult:
    base, experts = opened(context)
    merge_edits(base, experts, method, context.output, told=_told(context))
    return StepResult()


def _told(context: MergeContext) -> Callable[[int, int], None]:
    return lambda done, total: context.progress(done, total, {})
