"""Prints the status of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness._util.printable import printable
from harness.cli.graphics import OnTerminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness import NodeStatus, RunStatus

STATE_STYLES = {"running": "cyan", "done": "green", "failed": "red", "waiting": "dim"}
SUMMARY_WIDTH = 40
STEP_WIDTH = 12


def summary_lines(status: RunStatus) -> Iterator[str]:
    """Yields what the run does, how many results are in each state, and the time left."""
    if status.state == "running":
        since = "" if status.started is None else f" since {status.started:%Y-%m-%d %H:%M:%S} UTC"
        yield f"{status.folder}: running{since}, {status.slots_in_use} of {_counted(status.slots, 'slot')} in use"
    elif status.state == "stopped":
        yield f"{status.folder}: stopped: {status.reason}; `harness run` computes the rest"
    else:
        yield f"{status.folder}: finished"
    counts = status.counts
    others = [f"{counts[state]} {state}" for state in counts if state != "done" and counts[state]]
    yield ", ".join([f"{counts['done']} of {_counted(len(status.nodes), 'result')} done", *others])
    if status.time_left is not None:
        left = status.time_left
        bound = "at least" if left.unmeasured else "about"
        line = f"{bound} {duration(left.seconds)} left, the longest chain takes {duration(left.critical_seconds)}"
        if left.unmeasured:
            unknown = ", ".join(f"{count} of kind {kind}" for kind, count in left.unmeasured.items())
            line += f"; without results that have no known duration yet: {unknown}"
        yield line


def overview(status: RunStatus, *, every_node: bool = False) -> RenderableType:
    """Returns the summary, a table of the running and failed nodes, and with `every_node` of all others too."""
    from rich.console import Group
    from rich.text import Text

    shown = status.nodes if every_node else (*status.nodes_in("running"), *status.nodes_in("failed"))
    parts: list[RenderableType] = [Text(line) for line in summary_lines(status)]
    parts.append(OnTerminal(_progress(status.counts["done"], len(status.nodes), width=SUMMARY_WIDTH)))
    if shown:
        parts += [Text(), _table(shown)]
    parts += [Text(f"{node.title}: {node.error}", style="red") for node in status.nodes_in("failed")]
    return Group(*parts)


def _table(nodes: tuple[NodeStatus, ...]) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    columns = ["state", "result", "step", "time", "last metrics"]
    columns += ["worker"] if any(node.worker for node in nodes) else []
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in ("state", "step", "time"))
    for node in nodes:
        cells: list[RenderableType] = [
            Text(node.state, style=STATE_STYLES.get(node.state, "")),
            Text(printable(node.title)),
            _steps_drawn(node),
            *(Text(printable(cell)) for cell in (_time(node), node.shown_metrics, node.worker)),
        ]
        table.add_row(*cells[: len(columns)])
    return table


def _steps_drawn(node: NodeStatus) -> RenderableType:
    """Returns the progress of a node as text, on a terminal with a bar below it."""
    from rich.console import Group
    from rich.text import Text

    text = Text(steps(node))
    if node.step is None or not node.steps:
        return text
    return Group(text, OnTerminal(_progress(node.step, node.steps, width=STEP_WIDTH)))


def _progress(done: int, of: int, *, width: int) -> RenderableType:
    from rich.progress_bar import ProgressBar

    return ProgressBar(total=of, completed=done, width=width)


def steps(node: NodeStatus) -> str:
    """Returns the progress of a running node, such as 12/240; empty if it is unknown."""
    if node.step is None:
        return ""
    return f"{node.step}/{node.steps}" if node.steps else f"{node.step}"


def _time(node: NodeStatus) -> str:
    return "" if node.seconds is None else duration(node.seconds)


def duration(seconds: float) -> str:
    """Returns a rounded duration, such as 45 s, 3 min 20 s or 5 h 12 min."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60
    if hours:
        return f"{hours} h {minutes % 60:02} min"
    return f"{minutes} min {whole % 60:02} s" if minutes else f"{whole} s"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
