"""The content of tables, shared by all formats: titles, columns, cells as text, and notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, Row
from harness.results.published import GRADES, PublishedTable

MISSING = "–"


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A text table. columns: the headers. names: how many leading columns name the row; the others are numeric."""

    title: str
    subtitle: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    names: int = 1


def decimals(leaderboard: Leaderboard, column: str | None = None) -> int:
    """Returns the number of decimals of a column, or of the average: 1 for percentages, otherwise 3."""
    columns = leaderboard.averaged if column is None else (column,)
    return 1 if all(leaderboard.measurement[c].percent for c in columns if c in leaderboard.measurement) else 3


def number(value: float | None, digits: int) -> str:
    """Returns the number with a minus sign (U+2212) and no negative zero, or a dash for None."""
    if value is None:
        return MISSING
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def count_text(value: float | None) -> str:
    """Returns a count of steps, completions or tokens with commas, or a dash for None."""
    return MISSING if value is None else f"{value:,.0f}"


def interval(estimate: Estimate | None, digits: int) -> str:
    """Returns the mean with its interval, `92.4 [91.0, 93.8]` or `0.95 [not bounded]`."""
    if estimate is None or estimate.mean is None:
        return MISSING
    mean = number(estimate.mean, digits)
    if estimate.interval == "unbounded":
        return f"{mean} [not bounded]"
    if estimate.ci95 is None:
        return mean
    return f"{mean} [{number(estimate.ci95[0], digits)}, {number(estimate.ci95[1], digits)}]"


def p_text(value: float | None) -> str:
    """Returns a p-value with three decimals, or a dash for None."""
    return MISSING if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


EVALUATION_ONLY = "†"


def header(leaderboard: Leaderboard, column: str) -> str:
    """Returns the column's name, with a dagger if no method trains it and an arrow if lower is better."""
    marks = EVALUATION_ONLY if column in leaderboard.evaluation_only else ""
    return f"{column}{marks}" if leaderboard.higher_is_better(column) else f"{column}{marks} ↓"


def metric_headers(leaderboard: Leaderboard) -> list[str]:
    """Returns the names of metrics from plugins, with an arrow if lower is better."""
    return [name if one.higher_is_better else f"{name} ↓" for name, one in leaderboard.metrics.items()]


def size_headers(leaderboard: Leaderboard) -> list[str]:
    """Returns the names of the columns with the numbers of parameters, none if no method's model is a mixture."""
    return ["Parameters", "Active per token"] if leaderboard.has_mixtures else []


def sizes_of(leaderboard: Leaderboard, row: Row) -> list[str]:
    """Returns the cells of these columns."""
    if not leaderboard.has_mixtures:
        return []
    return [MISSING] * 2 if row.parameters is None else [f"{row.parameters.total:,}", f"{row.parameters.active:,}"]


def name_of(row: Row) -> str:
    """Returns the method's name with the marks of its footnotes."""
    marks = "".join(f" [{footnote}]" for footnote in row.footnotes)
    return f"{row.method}{' (reference)' if row.reference else ''}{marks}"


def group_of(row: Row) -> str:
    """Returns the rank group as a letter from a, as a number beyond z, or a dash if there is none."""
    if row.rank_group is None:
        return MISSING
    return "abcdefghijklmnopqrstuvwxyz"[row.rank_group - 1] if row.rank_group <= 26 else f".{row.rank_group}"


LEADERBOARD_LEADING = 3
"""The columns of the leaderboard before its numbers: method, rank and group."""


def leaderboard_table(leaderboard: Leaderboard) -> TextTable:
    """Returns one row per method: rank, group, scores, average, forgetting, backward transfer and training cost."""
    average = decimals(leaderboard)
    rows = []
    for row in leaderboard.rows:
        scores = [interval(row.scores.get(c), decimals(leaderboard, c)) for c in leaderboard.columns]
        changes = [interval(one, average) for one in (row.forgetting, row.backward_transfer)]
        further = [interval(row.metrics.get(name), one.decimals) for name, one in leaderboard.metrics.items()]
        steps = MISSING if row.cost is None else number(row.cost.optimizer_steps, 0)
        rank = MISSING if row.rank is None else str(row.rank)
        cost = [steps, *sizes_of(leaderboard, row)]
        rows.append(
            (name_of(row), rank, group_of(row), *scores, interval(row.average, average), *changes, *further, *cost)
        )
    heads = [header(leaderboard, column) for column in leaderboard.columns]
    metrics = metric_headers(leaderboard)
    return TextTable(
        title=f"Leaderboard: {leaderboard.protocol}",
        subtitle=f"Base model {leaderboard.model}; {_seeds(leaderboard.seeds)}",
        columns=(
            *("Method", "Rank", "Group", *heads, "Average", "Forgetting", "Backward transfer"),
            *(*metrics, "Optimizer steps", *size_headers(leaderboard)),
        ),
        rows=tuple(rows),
        notes=tuple(_notes(leaderboard)),
    )


def shortest_first(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows by the length of their trajectories, so that longer methods follow those that they extend."""
    return sorted(rows, key=lambda row: len(row.trajectory))


def trajectory_table(leaderboard: Leaderboard) -> TextTable:
    """Returns one row per step of a method. Steps shared with a method above are not repeated."""
    rows = []
    shown: set[tuple[str, ...]] = set()
    for row in shortest_first(leaderboard.rows):
        for step in row.trajectory:
            if step.checkpoints in shown:
                continue
            shown.add(step.checkpoints)
            scores = [step.scores.get(column) for column in leaderboard.columns]
            cells = [
                number(score.mean if score else None, decimals(leaderboard, column))
                for column, score in zip(leaderboard.columns, scores, strict=True)
            ]
            label = f"{row.method}: {step.label}" if step.step else step.label
            rows.append((label, str(step.step), *cells, number(step.average.mean, decimals(leaderboard))))
    return TextTable(
        title="After each step",
        subtitle="Scores of every checkpoint; steps that methods share are shown once",
        columns=("Checkpoint", "Step", *(header(leaderboard, column) for column in leaderboard.columns), "Average"),
        rows=tuple(rows),
    )


def published_table(table: PublishedTable) -> TextTable:
    """Returns the rows of a paper, with the grade of each number's source in brackets."""
    rows = []
    for row in table.rows:
        cells = [row.cells[column] for column in table.columns]
        texts = [MISSING if cell is None else f"{number(cell.value, table.decimals)} [{cell.grade}]" for cell in cells]
        rows.append((row.method, row.model, *texts, row.note))
    grades = "; ".join(f"[{grade}] {GRADES[grade]}" for grade in table.grades())
    return TextTable(
        title=f"Published results (not measured here): {table.title}",
        subtitle=f"arXiv:{table.arxiv}, {table.url}. {table.source}.",
        columns=("Method", "Base model", *table.columns, "Note"),
        rows=tuple(rows),
        notes=tuple(note for note in (table.note, f"Sources: {grades}.") if note),
    )


def _seeds(seeds: Sequence[int]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def interval_notes(estimates: Iterable[Estimate]) -> list[str]:
    """Returns notes that explain the intervals of these estimates."""
    kinds = {one.interval for one in estimates}
    notes = []
    if "seeds" in kinds:
        notes.append("Brackets: 95 % interval over seeds, by Student's t.")
    if kinds & {"wilson", "sampling"}:
        notes.append(
            f"Brackets of {'a single checkpoint' if 'seeds' in kinds else 'one seed'}: 95 % interval over its test "
            "items, without the variation between seeds: Wilson's for proportions, Student's t for graded scores, and "
            "their combination for averages and differences."
        )
    return notes


def group_notes(leaderboard: Leaderboard) -> list[str]:
    """Returns a note that explains rank groups, none if fewer than two methods are ranked."""
    ranked = [row for row in leaderboard.rows if row.rank_group is not None]
    if len(ranked) < 2:
        return []
    if max(len(row.seeds) for row in ranked) < 2:
        return ["One seed: differences between methods cannot be tested, so all are in one group."]
    return [
        "Group: methods in a group do not differ significantly in their average from the best of the group (paired t "
        "test over seeds, Holm's correction over all pairs, family-wise error rate 5 %). Group a contains the best "
        "method; the remaining methods are grouped in the same way."
    ]


def column_notes(leaderboard: Leaderboard) -> list[str]:
    """Returns notes on the columns that are not in the average, and on those that no method trains."""
    notes = []
    if lower := [column for column in leaderboard.columns if not leaderboard.higher_is_better(column)]:
        notes.append(f"Lower is better, and not in the average: {', '.join(lower)}.")
    if leaderboard.evaluation_only:
        counted = [column for column in leaderboard.evaluation_only if column in leaderboard.averaged]
        but = f", except {', '.join(counted)}" if counted else ""
        notes.append(f"{EVALUATION_ONLY}: evaluation only; no method trains it. Not in the average{but}.")
    return notes


def _notes(leaderboard: Leaderboard) -> list[str]:
    shown = [
        one
        for row in leaderboard.rows
        for one in (*row.scores.values(), row.average, row.forgetting, *row.metrics.values())
    ]
    notes = [*interval_notes(shown), *group_notes(leaderboard)]
    items = sorted({score.n for row in leaderboard.rows for score in row.scores.values()})
    if items:
        spread = f"{items[0]}" if len(items) == 1 else f"{items[0]} to {items[-1]}"
        notes.append(f"n = {spread} test items per domain and seed.")
    notes += column_notes(leaderboard)
    if any(row.rank is None and not row.reference for row in leaderboard.rows):
        notes.append("Methods without a rank have missing scores.")
    return notes + [f"[{index}] {note}." for index, note in enumerate(leaderboard.notes, start=1)]
