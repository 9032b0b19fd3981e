"""The merges: formulas of `harness.weights` with the settings of their papers."""

from __future__ import annotations

from collections.abc import Callable

from harness import Merge, MergeContext, NoConfig, StepResult
from harness.weights import (
    DeltaMerge,
    DeltaMethod,
    LargestMagnitudes,
    RandomDrop,
    SelectCalculateErase,
    SingularVectors,
    merge_deltas,
    merge_linear,
)
from harness_merges.config import DareConfig, SCEConfig, TaskArithmeticConfig, TiesConfig, TSVConfig
from harness_merges.experts import opened


class Linear(Merge):
    """Σ wᵢ·θᵢ / Σ wᵢ (arXiv 2203.05482). The base is not used."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def merge(self, context: MergeContext) -> StepResult:
        base, experts = opened(context)
        merge_linear(experts, context.output, base=base, progress=_progress(context))
        return StepResult()


class TaskArithmetic(Merge):
    """θ₀ + λ·Σ wᵢ·τᵢ, τᵢ = θᵢ − θ₀ (arXiv 2212.04089, section 2); divided by Σ wᵢ with `normalize`."""

    def __init__(self, config: TaskArithmeticConfig) -> None:
        self.config = config

    def merge(self, context: MergeContext) -> StepResult:
        return _merged(context, DeltaMerge(normalize=self.config.normalize, scale=self.config.scale))


class Ties(Merge):
    """θ₀ + λ·τ, where τ is the mean of the trimmed deltas with the elected sign (arXiv 2306.01708, section 4)."""

    def __init__(self, config: TiesConfig) -> None:
        self.config = config

    def merge(self, context: MergeContext) -> StepResult:
        method = DeltaMerge(
            sparsity=LargestMagnitudes(self.config.density),
            elect=True,
            normalize=self.config.normalize,
            scale=self.config.scale,
        )
        return _merged(context, method)


class Dare(Merge):
    """Task arithmetic on deltas whose weights are kept with probability `density` (arXiv 2311.03099, section 3)."""

    elect = False

    def __init__(self, config: DareConfig) -> None:
        self.config = config

    def merge(self, context: MergeContext) -> StepResult:
        method = DeltaMerge(
            sparsity=RandomDrop(self.config.density, seed=context.seed, rescale=self.config.rescale),
            elect=self.elect,
            normalize=self.config.normalize,
            scale=self.config.scale,
        )
        return _merged(context, method)


class DareTies(Dare):
    """`Dare` with TIES' sign election for every weight."""

    elect = True


class SCE(Merge):
    """θ₀ + the mean of the deltas with the majority's sign, weighted by their size, where they differ most (FuseChat,
    arXiv 2408.07990)."""

    def __init__(self, config: SCEConfig) -> None:
        self.config = config

    def merge(self, context: MergeContext) -> StepResult:
        return _merged(context, SelectCalculateErase(density=self.config.density))


class TSV(Merge):
    """θ₀ + λ·U⊥ΣV⊥ᵀ: the main singular vectors of every delta, made orthogonal (arXiv 2412.00081)."""

    def __init__(self, config: TSVConfig) -> None:
        self.config = config

    def merge(self, context: MergeContext) -> StepResult:
        return _merged(context, SingularVectors(scale=self.config.scale))


def _merged(context: MergeContext, method: DeltaMethod) -> StepResult:
    base, experts = opened(context)
    merge_deltas(base, experts, method, context.output, progress=_progress(context))
    return StepResult()


def _progress(context: MergeContext) -> Callable[[int, int], None]:
    return lambda done, total: context.progress(done, total, {})
