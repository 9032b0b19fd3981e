"""The table of a board: one row per method, with the numbers that a page sorts and filters by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from harness.report.best import Standing, column_standings
from harness.report.site.names import file_name
from harness.report.tables.layout import (
    LEADERBOARD_LEADING,
    MISSING,
    decimals,
    group_of,
    header,
    interval,
    metric_headers,
    name_of,
    number,
    size_headers,
)
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard

_COSTS = (
    ("optimizer_steps", "Optimizer steps", True),
    ("completions", "Completions", False),
    ("generated_tokens", "Generated tokens", False),
    ("train_seconds", "Training, seconds", False),
)
"""The kinds of cost: the field, the header, and whether the column is shown at first."""
_WHISKER = 96.0
"""The width of the drawing of an average and its interval, in its own units, without margins."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column. key: its name in a page's address. part: the heading under which one chooses it. shown: whether it is
    shown before anyone chooses."""

    key: str
    head: str
    part: str
    shown: bool = True
    first: str = "descending"
    """The order of the first click: the better or larger numbers first."""


@dataclass(frozen=True, kw_only=True)
class Whisker:
    """An interval as a drawing: the positions of its ends and of its mean, from 0 to 100."""

    low: str
    mean: str
    high: str


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell. value: the number that it is sorted by, empty if it is missing. detail: the interval. standing: whether
    the mean is the best of the column, or does not differ significantly from it."""

    text: str
    detail: str = ""
    value: str = ""
    standing: Standing = ""
    whisker: Whisker | None = None


@dataclass(frozen=True, kw_only=True)
class MethodRow:
    """A row. page: the file of the method's page. group: its rank group as a letter. opens: whether it is the first of
    its rank group. recovered_with: the plugins of its recoveries. words: the text that a search looks through."""

    name: str
    page: str
    reference: bool
    group: str
    opens: bool
    recovered_with: tuple[str, ...]
    words: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class BoardTable:
    """groups, recoveries: the choices of the filters."""

    columns: tuple[Column, ...]
    rows: tuple[MethodRow, ...]
    groups: tuple[str, ...]
    recoveries: tuple[str, ...]
    parts: dict[str, list[Column]] = field(default_factory=dict)


def board_table(leaderboard: Leaderboard) -> BoardTable:
    """Returns the table of a leaderboard, with its rows in the order of their ranks."""
    made, standings = list(_columns(leaderboard)), _standings(leaderboard)
    whiskers = _whiskers([row.average for row in leaderboard.rows])
    rows, before = [], None
    for place, row in enumerate(leaderboard.rows):
        plugins = tuple(dict.fromkeys(one.plugin for one in row.recoveries))
        words = (row.method, *plugins, *(step.label for step in row.trajectory))
        rows.append(
            MethodRow(
                name=name_of(row),
                page=f"{file_name(row.method)}.html",
                reference=row.reference,
                group="" if row.rank_group is None else group_of(row),
                opens=place > 0 and row.rank_group != before,
                recovered_with=plugins,
                words=" ".join(words).casefold(),
                cells=tuple(
                    replace(
                        cells[place],
                        standing=standings[column.key][place] if column.key in standings else "",
                        whisker=whiskers[place] if column.key == "average" else None,
                    )
                    for column, cells in made
                ),
            )
        )
        before = row.rank_group
    columns = tuple(column for column, _ in made)
    parts: dict[str, list[Column]] = {}
    for column in columns:
        parts.setdefault(column.part, []).append(column)
    return BoardTable(
        columns=columns,
        rows=tuple(rows),
        groups=tuple(dict.fromkeys(row.group for row in rows if row.group)),
        recoveries=tuple(sorted({plugin for row in rows for plugin in row.recovered_with})),
        parts=parts,
    )


def _columns(leaderboard: Leaderboard) -> Iterator[tuple[Column, list[Cell]]]:
    """Yields each column with its cells, in the order of the rows."""
    rows, average = leaderboard.rows, decimals(leaderboard)
    yield Column(key="rank", head="Rank", part="Ranking", first="ascending"), [_number(row.rank, 0) for row in rows]
    yield Column(key="average", head="Average", part="Ranking"), [_estimate(row.average, average) for row in rows]
    for name in leaderboard.columns:
        order = "descending" if leaderboard.higher_is_better(name) else "ascending"
        column = Column(key=f"score-{name}", head=header(leaderboard, name), part="Scores", first=order)
        yield column, [_estimate(row.scores.get(name), decimals(leaderboard, name)) for row in rows]
    column = Column(key="forgetting", head="Forgetting", part="Changes", first="ascending")
    yield column, [_estimate(row.forgetting, average) for row in rows]
    column = Column(key="backward-transfer", head="Backward transfer", part="Changes")
    yield column, [_estimate(row.backward_transfer, average) for row in rows]
    for (name, metric), head in zip(leaderboard.metrics.items(), metric_headers(leaderboard), strict=True):
        order = "descending" if metric.higher_is_better else "ascending"
        column = Column(key=f"metric-{name}", head=head, part="Metrics", first=order)
        yield column, [_estimate(row.metrics.get(name), metric.decimals) for row in rows]
    if any(row.recovery for row in rows):
        column = Column(key="recovery", head="Recovery ratio", part="Changes")
        yield column, [_estimate(row.recovery.ratio if row.recovery else None, 2) for row in rows]
    for name, head, shown in _COSTS:
        column = Column(key=name.replace("_", "-"), head=head, part="Cost", shown=shown, first="ascending")
        yield column, [_number(getattr(row.cost, name) if row.cost else None, 0) for row in rows]
    if leaderboard.has_mixtures:
        for name, head in zip(("total", "active"), size_headers(leaderboard), strict=True):
            column = Column(key=f"{name}-parameters", head=head, part="Cost", first="ascending")
            yield column, [_number(getattr(row.parameters, name) if row.parameters else None, 0) for row in rows]
    column = Column(key="seeds", head="Seeds", part="Cost", shown=False)
    yield column, [_number(None if row.reference else len(row.seeds), 0) for row in rows]


def _number(value: float | None, digits: int) -> Cell:
    if value is None:
        return Cell(text=MISSING)
    return Cell(text=number(value, digits) if value < 10_000 else f"{value:,.{digits}f}", value=f"{value:.8g}")


def _estimate(one: Estimate | None, digits: int) -> Cell:
    if one is None or one.mean is None:
        return Cell(text=MISSING)
    mean, bracket, rest = interval(one, digits).partition(" [")
    return Cell(text=mean, detail=f"[{rest}" if bracket else "", value=f"{one.mean:.8g}")


def _standings(leaderboard: Leaderboard) -> dict[str, list[Standing]]:
    """Returns the standings of the rows, by the key of the column."""
    keys = [f"score-{name}" for name in leaderboard.columns]
    keys += ["average", "forgetting", "backward-transfer", *(f"metric-{name}" for name in leaderboard.metrics)]
    found = column_standings(leaderboard)
    return {key: [row[place] for row in found] for place, key in enumerate(keys, start=LEADERBOARD_LEADING)}


def _whiskers(averages: Sequence[Estimate]) -> list[Whisker | None]:
    """Returns the drawings of the averages, on one scale from the lowest to the highest number of all."""
    ends = [(*(one.ci95 or (one.mean, one.mean)), one.mean) for one in averages if one.mean is not None]
    lowest, highest = min((one[0] for one in ends), default=0.0), max((one[1] for one in ends), default=0.0)
    width = highest - lowest

    def at(value: float) -> str:
        return f"{2 + (_WHISKER * (value - lowest) / width if width else _WHISKER / 2):.1f}"

    return [
        None
        if one.mean is None
        else Whisker(low=at((one.ci95 or (one.mean,))[0]), mean=at(one.mean), high=at((one.ci95 or (one.mean,))[-1]))
        for one in averages
    ]
