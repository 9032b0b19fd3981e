"""The lab: a setting small enough to show interference and recovery on two CPU cores in a few minutes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness import DomainSpec, ModelSpec, ProtocolSpec, RewardSpec, hookimpl

_CONFIG = "harness_lab.domains:LabDomainConfig"


@hookimpl
def harness_models() -> Iterator[ModelSpec]:
    yield ModelSpec(
        name="lab-tiny",
        summary="A Llama of 0.79 M parameters trained from scratch on the lab's four domains",
        load="harness_lab.model:LabModel",
    )


@hookimpl
def harness_domains() -> Iterator[DomainSpec]:
    for name, load, reward, summary in (
        ("lab-code", "CodeDomain", "lab-code", "Name the function behind three examples"),
        ("lab-math", "MathDomain", "lab-math", "Sums, differences and products of small numbers"),
        ("lab-qa", "QADomain", "lab-qa", "Look a number up among two or three facts"),
        ("lab-cw", "CWDomain", "lab-cw-model", "Write one sentence on two topics"),
    ):
        yield DomainSpec(name=name, summary=summary, reward=reward, load=f"harness_lab.domains:{load}", config=_CONFIG)


@hookimpl
def harness_rewards() -> Iterator[RewardSpec]:
    for name, load, summary in (
        ("lab-code", "CodeReward", "The expression agrees on inputs it has not seen"),
        ("lab-math", "MathReward", "The right number"),
        ("lab-qa", "QAReward", "The number that was asked for"),
        ("lab-cw-rubric", "RubricReward", "The share of the writing rubric's points that are met"),
    ):
        yield RewardSpec(name=name, summary=summary, load=f"harness_lab.rewards:{load}")
    yield RewardSpec(
        name="lab-cw-model",
        summary="A reward model learned from preference pairs of lab sentences",
        load="harness_lab.rewards:LearnedReward",
        config="harness_lab.rewards:LearnedRewardConfig",
    )


@hookimpl
def harness_protocols() -> Iterator[ProtocolSpec]:
    here = Path(__file__).parent
    yield ProtocolSpec(
        name="lab", summary="Code, Math, QA and creative writing in turn, on a laptop", path=here / "lab.yaml"
    )
    yield ProtocolSpec(
        name="lab-algorithms",
        summary="Algorithms on the lab's domains, each with as many completions",
        path=here / "lab-algorithms.yaml",
    )
    yield ProtocolSpec(
        name="lab-recoveries",
        summary="Recoveries of the lab's sequence and their controls, with what each costs",
        path=here / "lab-recoveries.yaml",
    )
    yield ProtocolSpec(
        name="lab-recoveries-rotated",
        summary="The recoveries of lab-recoveries, with the sequence begun one domain later",
        path=here / "lab-recoveries-rotated.yaml",
    )
    yield ProtocolSpec(
        name="lab-prevention",
        summary="Trainings of the lab's sequence that are to forget less, each with as many completions",
        path=here / "lab-prevention.yaml",
    )
    yield ProtocolSpec(
        name="lab-pairs",
        summary="Each lab domain trained by itself from the base, for `harness predict --check`",
        path=here / "lab-pairs.yaml",
    )
    yield ProtocolSpec(
        name="lab-mechanism",
        summary="Probes of the lab's trainings, and what rollbacks of growing size bring back",
        path=here / "lab-mechanism.yaml",
    )
    yield ProtocolSpec(
        name="smoke",
        summary="Every part of the lab once, in under a minute; its scores mean nothing",
        path=here / "smoke.yaml",
    )
