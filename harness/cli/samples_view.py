"""Prints samples: counts first, then one block per sample. On a wide terminal, two checkpoints stand side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness._util.printable import printable
from harness.results.flips import GAINED, LOST

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console, RenderableType

    from harness.api.samples import Checkpoint, CheckpointSamples, ItemCounts

BASE = "base"
SIDE_BY_SIDE = 110
"""From this width on, the completions of two checkpoints are columns."""
MOST_CHARACTERS = 1500
"""Longer texts are cut, unless a single item is shown."""
VERDICTS: dict[bool | None, str] = {True: "right", False: "wrong", None: "not scored"}
STYLES: dict[bool | None, str] = {True: "green", False: "red", None: "dim"}


def print_samples(
    samples: CheckpointSamples,
    shown: pl.DataFrame,
    console: Console,
    *,
    beside: bool,
    whole: bool,
    left_out: int,
) -> None:
    """Prints the counts of a checkpoint and some of its samples.

    beside: show the completions of the other checkpoint too. whole: do not cut texts. left_out: the number of samples
    that `--limit` left out.
    """
    from rich.text import Text

    one = samples.checkpoint
    console.print(Text(f"{one.method}, seed {one.seed}, {place(one)}", style="bold"))
    for line in count_lines(samples):
        console.print(Text(line), soft_wrap=True)
    if samples.graded:
        note = "Scores are graded: --right-from SCORE sets where right begins."
        console.print(Text(note, style="dim"), soft_wrap=True)
    for row in shown.iter_rows(named=True):
        console.print()
        for part in _sample(row, samples, console, beside=beside, whole=whole):
            console.print(part, soft_wrap=not console.is_terminal)
    if left_out:
        console.print(Text(f"\n{shown.height} of {shown.height + left_out} shown: --limit 0 shows all", style="dim"))


def place(checkpoint: Checkpoint) -> str:
    """Returns the step of a checkpoint, such as `step 2 (train math)`."""
    return "the base model" if checkpoint.step == 0 else f"step {checkpoint.step} ({checkpoint.label})"


def count_lines(samples: CheckpointSamples) -> Iterator[str]:
    """Yields a line per domain: `math: 37 of 512 wrong; 12 flipped from right to wrong since step 2 (train math)`."""
    counts = samples.counts()
    if not counts:
        yield "this checkpoint was not scored"
    for one in counts:
        yield f"{printable(one.domain)}: {_counted(one)}{_flipped(one, samples)}"
        if one.wrong and one.wrong == one.items - one.unscored:
            yield "  No item is right: compare targets and completions below; is the target the answer?"


def _counted(one: ItemCounts) -> str:
    wrong = f"all {one.items}" if one.wrong == one.items else f"{one.wrong} of {one.items}"
    return f"{wrong} wrong" + (f", {one.unscored} without a score" if one.unscored else "")


def _flipped(one: ItemCounts, samples: CheckpointSamples) -> str:
    if samples.against is None or one.lost is None:
        return ""
    other, since = samples.against, "since" if samples.against.method == samples.checkpoint.method else "compared with"
    named = place(other) if since == "since" or other.step == 0 else f"{other.method}, {place(other)}"
    return f"; {one.lost} flipped from right to wrong, {one.gained} from wrong to right {since} {named}"


def _sample(
    row: Mapping[str, Any], samples: CheckpointSamples, console: Console, *, beside: bool, whole: bool
) -> Iterator[RenderableType]:
    from rich.text import Text

    title = f"{row['domain']} {row['item']}" + (f", completion {row['repeat'] + 1}" if row["repeat"] else "")
    named = title if row["task"] in (row["domain"], None) else f"{title} ({row['task']})"
    change = row.get("change") if beside else None
    flipped = f", {change}" if change in (LOST, GAINED) else ""
    heading = Text(printable(named), style="bold")
    heading.append(f": {_verdict(row['right'], row['score'])} by {printable(row['metric'])}{flipped}")
    heading.stylize(STYLES[row["right"]], len(printable(named)))
    yield heading
    texts = {"prompt": row["prompt"], "target": row["target"]}
    now, before = row["completion"], row.get("completion_before")
    if not beside or samples.against is None:
        yield _lines(texts | {"completion": now}, console, whole=whole)
        return
    names = _short(samples.against, samples.checkpoint), _short(samples.checkpoint, samples.against)
    verdicts = _verdict(row["right_before"], row["score_before"]), _verdict(row["right"], row["score"])
    heads = [f"{name}: {verdict}" for name, verdict in zip(names, verdicts, strict=True)]
    if console.is_terminal and console.width >= SIDE_BY_SIDE:
        yield _lines(texts, console, whole=whole)
        yield _columns(heads, (before, now), (row["right_before"], row["right"]), whole=whole)
    else:
        yield _lines(texts | dict(zip(heads, (before, now), strict=True)), console, whole=whole)


def _verdict(right: bool | None, score: float | None) -> str:
    return VERDICTS[right] if score is None else f"{VERDICTS[right]}, {score:g}"


def _short(one: Checkpoint, other: Checkpoint) -> str:
    if one.step == 0:
        return "base"
    return f"step {one.step}" if other.method in (one.method, BASE) else f"{one.method} step {one.step}"


def _lines(texts: Mapping[str, str | None], console: Console, *, whole: bool) -> RenderableType:
    """Returns the texts beside their names: wrapped on a terminal, otherwise line by line as they are."""
    from rich.table import Table
    from rich.text import Text

    width = 2 + max(map(len, texts))
    if console.is_terminal:
        grid = Table.grid(padding=(0, 2, 0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, text in texts.items():
            grid.add_row(name, Text(shown_text(text, whole=whole)))
        return grid
    found = []
    for name, text in texts.items():
        first, *others = shown_text(text, whole=whole).split("\n")
        found += [f"  {name:<{width}}{first}", *(f"  {'':<{width}}{line}" for line in others)]
    return Text("\n".join(found))


def _columns(
    heads: list[str], texts: tuple[str | None, ...], rights: tuple[bool | None, ...], *, whole: bool
) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=True, expand=True)
    for head, right in zip(heads, rights, strict=True):
        table.add_column(Text(printable(head)), header_style=STYLES[right], ratio=1, overflow="fold")
    table.add_row(*(Text(shown_text(text, whole=whole)) for text in texts))
    return table


def shown_text(text: str | None, *, whole: bool) -> str:
    """Returns a text of a sample for the terminal: control characters escaped, cut unless `whole`."""
    if text is None:
        return "–"
    if not text:
        return "(empty)"
    left = len(text) - MOST_CHARACTERS
    if whole or left <= 0:
        return printable(text)
    return f"{printable(text[:MOST_CHARACTERS])} … {left:,} more characters; --item shows all"
