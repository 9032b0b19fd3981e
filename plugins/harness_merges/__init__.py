"""Merges: make one checkpoint from several experts that were trained from one base."""

from collections.abc import Iterator

from harness import MergeSpec, ProbeSpec, hookimpl


@hookimpl
def harness_merges() -> Iterator[MergeSpec]:
    yield MergeSpec(
        name="linear",
        summary="The weighted mean of the experts",
        load="harness_merges.merges:Linear",
        cite="Wortsman et al. 2022, Model soups, arXiv 2203.05482",
    )
    yield MergeSpec(
        name="task-arithmetic",
        summary="The base plus the sum of the experts' weight deltas",
        load="harness_merges.merges:TaskArithmetic",
        config="harness_merges.config:TaskArithmeticConfig",
        cite="Ilharco et al. 2023, Editing Models with Task Arithmetic, arXiv 2212.04089",
    )
    yield MergeSpec(
        name="ties",
        summary="Deltas trimmed to their largest changes, and merged where their signs agree",
        load="harness_merges.merges:Ties",
        config="harness_merges.config:TiesConfig",
        cite="Yadav et al. 2023, TIES-Merging, arXiv 2306.01708",
    )
    yield MergeSpec(
        name="dare",
        summary="Deltas with weights dropped at random and rescaled, then summed",
        load="harness_merges.merges:Dare",
        config="harness_merges.config:DareConfig",
        cite="Yu et al. 2024, Language Models are Super Mario, arXiv 2311.03099",
    )
    yield MergeSpec(
        name="moe",
        summary="A mixture with one MLP per expert, and routers from the hidden states of each domain's prompts",
        load="harness_merges.mixture:Mixture",
        config="harness_merges.config:MixtureConfig",
        cite="Goddard et al. 2024, Arcee's MergeKit, arXiv 2403.13257",
    )
    yield MergeSpec(
        name="distill",
        summary="Trains the base toward the experts, each on its own domains' prompts, by on-policy distillation",
        load="harness_merges.distill:Distill",
        trains=True,
        algorithm="distillation",
        cite="MOPD, arXiv 2606.30406",
    )
    yield MergeSpec(
        name="dare-ties",
        summary="Deltas with weights dropped at random and rescaled, then merged where their signs agree",
        load="harness_merges.merges:DareTies",
        config="harness_merges.config:DareTiesConfig",
        cite="Yu et al. 2024, Language Models are Super Mario, arXiv 2311.03099",
    )
    yield MergeSpec(
        name="sce",
        summary="The weights in which the deltas differ most, merged by the size of each delta and the majority's sign",
        load="harness_merges.merges:SCE",
        config="harness_merges.config:SCEConfig",
        cite="Wan et al. 2024, FuseChat, arXiv 2408.07990",
    )
    yield MergeSpec(
        name="tsv",
        summary="The main singular vectors of every delta, made orthogonal to each other",
        load="harness_merges.merges:TSV",
        config="harness_merges.config:TSVConfig",
        cite="Gargiulo et al. 2025, Task Singular Vectors, arXiv 2412.00081",
    )


@hookimpl
def harness_probes() -> Iterator[ProbeSpec]:
    yield ProbeSpec(
        name="gate-accuracy",
        summary="The share of each domain's prompt tokens that a mixture sends to the domain's expert",
        load="harness_merges.gate_accuracy:GateAccuracy",
        config="harness_merges.config:GateAccuracyConfig",
        keys=("domain",),
    )
