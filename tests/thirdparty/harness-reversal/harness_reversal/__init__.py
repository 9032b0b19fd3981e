"""Numbers written backwards, and two small parts that any protocol may use."""

from collections.abc import Iterator
from pathlib import Path

from harness import DomainSpec, ProtocolSpec, RecoverySpec, RewardSpec, TableFormatSpec, hookimpl


@hookimpl
def harness_domains() -> Iterator[DomainSpec]:
    yield DomainSpec(
        name="reversal",
        summary="Write a number backwards",
        reward="reversed-digits",
        load="harness_reversal.domain:Reversal",
        config="harness_reversal.config:ReversalConfig",
    )


@hookimpl
def harness_rewards() -> Iterator[RewardSpec]:
    yield RewardSpec(
        name="reversed-digits",
        summary="The share of the digits that stand where they should",
        load="harness_reversal.reward:ReversedDigits",
    )


@hookimpl
def harness_recoveries() -> Iterator[RecoverySpec]:
    yield RecoverySpec(
        name="midpoint",
        summary="Moves all weights a part of the way back to the target's peak",
        load="harness_reversal.recovery:Midpoint",
        config="harness_reversal.config:MidpointConfig",
    )


@hookimpl
def harness_table_formats() -> Iterator[TableFormatSpec]:
    yield TableFormatSpec(
        name="tsv",
        summary="Tab-separated means, one row a method",
        extension="tsv",
        load="harness_reversal.table:TabSeparated",
    )


@hookimpl
def harness_protocols() -> Iterator[ProtocolSpec]:
    yield ProtocolSpec(
        name="reversal",
        summary="Reversal, then the lab's math, then back by the midpoint; a check that all parts fit",
        path=Path(__file__).parent / "reversal.yaml",
    )
