"""Prints a prediction: the matrix with its terms, the advised order, and the comparison with a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.cli.narrow_table import by_column, split_tables
from harness.report.tables.agreement import HEADS, agreement_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from harness import CheckedPair, PairPrediction, PredictionRecord

TERMS = ("damage", "first_order", "second_order", "gradient_cosine")

SHOWN = ("predicted damage", "negative gradient cosine", "pilot, reweighted", "combined", "combined with the pilot")
"""The predictors that are printed for each pair. `--json` has all."""


def print_prediction(console: Console, record: PredictionRecord) -> None:
    """Prints the matrix over all seeds and checkpoints, and the order and the comparison if there are any."""
    from rich.text import Text

    checkpoints = ", ".join(dict.fromkeys(one.checkpoint for one in record.predictions))
    seeds = ", ".join(dict.fromkeys(str(one.seed) for one in record.predictions))
    console.print(Text(f"{record.protocol}: predicted at {checkpoints}, seeds {seeds}", style="bold"))
    console.print(_matrix([pair for one in record.predictions for pair in one.pairs]))
    console.print(
        Text("in percent of a standard deviation of the harmed domain's reward; positive damage is harm", style="dim")
    )
    if record.order:
        console.print(Text(f"advised order: {' → '.join(record.order)}"))
    if record.checked:
        console.print(Text("\nAgainst what happened", style="bold"))
        console.print(_observed(record.checked))
        _print_agreement(console, record)


def _new_table(*columns: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if place == 0 else "right", overflow="fold")
    return table


def _matrix(pairs: Sequence[PairPrediction]) -> Table:
    table = _new_table("training", "on", "damage", "first-order gain", "second-order gain", "gradient cosine")
    groups: dict[tuple[str, str], list[PairPrediction]] = {}
    for pair in pairs:
        groups.setdefault((pair.trained, pair.harmed), []).append(pair)
    for (trained, harmed), group in groups.items():
        means = [sum(getattr(pair, term) for pair in group) / len(group) for term in TERMS]
        table.add_row(trained, harmed, *(f"{mean:+.2f}" for mean in means[:3]), f"{means[3]:+.3f}")
    return table


def _observed(checked: Sequence[CheckedPair]) -> Table:
    names = [name for name in SHOWN if any(name in one.predicted for one in checked)]
    table = _new_table("training", "on", "seed", "observed damage, points", *names)
    for one in checked:
        numbers = [f"{one.predicted[name]:+.3g}" if name in one.predicted else "–" for name in names]
        table.add_row(one.pair.trained, one.pair.harmed, str(one.pair.seed), f"{one.pair.damage:+.2f}", *numbers)
    return table


def _print_agreement(console: Console, record: PredictionRecord) -> None:
    from rich.text import Text

    table = agreement_table(record)
    columns = by_column(HEADS[1:], [row[1:] for row in table.rows])
    console.print(Text(table.subtitle))
    for part in split_tables(HEADS[0], [row[0] for row in table.rows], columns, console.width, left=HEADS[1:2]):
        console.print(part)
    for note in table.notes:
        console.print(Text(note, style="dim"))
