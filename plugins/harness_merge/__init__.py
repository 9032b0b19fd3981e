"""Merging: one checkpoint of several experts of a base, and a checkpoint averaged with a domain's peak."""

from collections.abc import Iterator

from harness import MergeSpec, RecoverySpec, hookimpl


@hookimpl
def harness_merges() -> Iterator[MergeSpec]:
    yield MergeSpec(
        name="linear",
        summary="The weighted mean of the experts",
        load="harness_merge.merges:Linear",
        cite="Wortsman et al. 2022, Model soups, arXiv 2203.05482",
    )
    yield MergeSpec(
        name="task-arithmetic",
        summary="The base with the sum of the experts' edits",
        load="harness_merge.merges:TaskArithmetic",
        config="harness_merge.config:TaskArithmeticConfig",
        cite="Ilharco et al. 2023, Editing Models with Task Arithmetic, arXiv 2212.04089",
    )
    yield MergeSpec(
        name="ties",
        summary="Edits trimmed to their largest changes, and merged where their signs agree",
        load="harness_merge.merges:Ties",
        config="harness_merge.config:TiesConfig",
        cite="Yadav et al. 2023, TIES-Merging, arXiv 2306.01708",
    )
    yield MergeSpec(
        name="dare",
        summary="Edits dropped at random and rescaled, then summed",
        load="harness_merge.merges:Dare",
        config="harness_merge.config:DareConfig",
        cite="Yu et al. 2024, Language Models are Super Mario, arXiv 2311.03099",
    )
    yield MergeSpec(
        name="dare-ties",
        summary="Edits dropped at random and rescaled, then merged where their signs agree",
        load="harness_merge.merges:DareTies",
        config="harness_merge.config:DareTiesConfig",
        cite="Yu et al. 2024, Language Models are Super Mario, arXiv 2311.03099",
    )


@hookimpl
def harness_recoveries() -> Iterator[RecoverySpec]:
    yield RecoverySpec(
        name="interpolate",
        summary="Training-free: all weights go part of the way to the target's peak",
        load="harness_merge.interpolate:Interpolate",
        config="harness_merge.config:InterpolateConfig",
        cite="Wortsman et al. 2022, Robust fine-tuning of zero-shot models, arXiv 2109.01903",
    )
