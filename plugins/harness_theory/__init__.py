"""Tests of the local perturbation theory of arXiv 2606.02398, as probes."""

from collections.abc import Iterator
from pathlib import Path

from harness import ProbeSpec, ProtocolSpec, hookimpl

_PAPER = "Yang, Ding and Xiong 2026, A Local Perturbation Theory, arXiv 2606.02398"
_UPDATE = ("target", "peak", "against", "against_step")


@hookimpl
def harness_probes() -> Iterator[ProbeSpec]:
    yield ProbeSpec(
        name="causal-split",
        summary="What a later update costs inside and outside the subspace where the target's reward is curved",
        load="harness_theory.causal_split:CausalSplit",
        config="harness_theory.config:CausalSplitConfig",
        scores=True,
        keys=(*_UPDATE, "piece"),
        repeat="draw",
        cite=_PAPER,
    )
    yield ProbeSpec(
        name="signed-curvature",
        summary="The loss along a later update by the reward's gradient and Hessian, against the measured loss",
        load="harness_theory.signed_curvature:SignedCurvature",
        config="harness_theory.config:SignedCurvatureConfig",
        keys=(*_UPDATE, "scale"),
        cite=_PAPER,
    )
    yield ProbeSpec(
        name="contraction",
        summary="How a recovery moves the weights back to the target's peak where its reward is curved, and elsewhere",
        load="harness_theory.contraction:Contraction",
        config="harness_theory.config:ContractionConfig",
        keys=("target", "peak", "recovery", "part", "optimizer_step"),
        repeat="draw",
        cite=_PAPER,
    )
    yield ProbeSpec(
        name="bf16-sparsity",
        summary="The share of weights that each step changes, in fp32 and rounded to bf16",
        load="harness_theory.rounding:RoundedSparsity",
        keys=("step", "label", "precision"),
        cite="PULSE, arXiv 2602.03839",
    )


@hookimpl
def harness_protocols() -> Iterator[ProtocolSpec]:
    for name, summary in (
        ("lab-theory", "The local perturbation theory tested on the lab's sequence, with random controls"),
        ("lab-contraction", "How a refresh and a distillation on Math move the lab's weights back to Math's peak"),
        ("lab-rounding", "The share of weights that a training changes in fp32 and in bf16, by learning rate"),
    ):
        yield ProtocolSpec(name=name, summary=summary, path=Path(__file__).parent / f"{name}.yaml")
