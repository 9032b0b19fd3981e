"""The progress display of a run: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from harness.errors import HarnessError
from harness.planning.node import Node
from harness.planning.titles import title_of
from harness.plugin.interfaces import NEVER_VARIED, TOKENS_PER_SECOND, WAITING_FOR

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

LINES_A_STEP = 5
METRICS_SHOWN = 2
BAR_WIDTH = 16
NUMBERS_WIDTH = 49
"""The width of the numbers beside a bar: `120/240 0:01:30 reward -0.835  1234 tokens/s`, with gaps."""
SHORTEST_TITLE = 12


class Reporter(Protocol):
    """Receives the progress of a runner. `index` counts the nodes from 1."""

    def begin(self, nodes: int, done: int) -> None: ...

    def node_started(self, node: Node, index: int) -> None: ...

    def progress(self, node: Node, done: int, total: int, metrics: Mapping[str, float]) -> None: ...

    def node_finished(self, node: Node, seconds: float, error: HarnessError | None) -> None: ...

    def note(self, text: str) -> None: ...

    def end(self) -> None: ...


def shown_metrics(metrics: Mapping[str, float]) -> str:
    """Returns the reward, or the first metrics if there is none, and the tokens per second, as text."""
    waiting = [f"{name} for {value:.0f} s" for name, value in metrics.items() if name.startswith(WAITING_FOR)]
    if waiting:
        return "  ".join(waiting)
    chosen = {"reward": metrics["reward"]} if "reward" in metrics else dict(list(metrics.items())[:METRICS_SHOWN])
    never = [never_varied(name, value) for name, value in metrics.items() if name.startswith(NEVER_VARIED)]
    speed = [f"{metrics[TOKENS_PER_SECOND]:.0f} tokens/s"] if TOKENS_PER_SECOND in metrics else []
    return "  ".join([*(f"{name} {value:.3g}" for name, value in chosen.items()), *speed, *never])


def never_varied(name: str, rounds: float) -> str:
    """Returns the warning that a domain's reward never varied; `name` may be the metric's."""
    return f"warning: the rewards of {name.removeprefix(NEVER_VARIED)} never differed in {rounds:.0f} rounds"


def node_title(node: Node) -> str:
    """Returns the title of the node: its label and its seed."""
    return title_of(node.kind, node.label, node.seed)


class PlainReporter:
    """Writes lines for a log: start and end of each node, and the progress of long steps at a few fixed shares."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._nodes = 0
        self._titles: dict[str, str] = {}
        self._shares: dict[str, int] = {}

    def begin(self, nodes: int, done: int) -> None:
        self._nodes = nodes
        self.note(f"{nodes} results: {done} in the store, {nodes - done} to make")

    def node_started(self, node: Node, index: int) -> None:
        title = f"[{index}/{self._nodes}] {node_title(node)}"
        self.name(node.key, title)
        self.note(title)

    def name(self, key: str, title: str) -> None:
        """Sets the prefix of a node's lines."""
        self._titles[key] = title
        self._shares[key] = 0

    def progress(self, node: Node, done: int, total: int, metrics: Mapping[str, float]) -> None:
        title, share = self._titles[node.key], done * LINES_A_STEP // max(total, 1)
        if any(name.startswith(WAITING_FOR) for name in metrics):
            self.note(f"{title}: {done}/{total}  {shown_metrics(metrics)}")
        elif share > self._shares[node.key] and done < total:
            self._shares[node.key] = share
            self.note(f"{title}: {done}/{total}  {shown_metrics(metrics)}".rstrip())

    def node_finished(self, node: Node, seconds: float, error: HarnessError | None) -> None:
        title = self._titles.pop(node.key)
        self.note(f"{title}: {'failed' if error else 'done'} after {seconds:.1f} s")
        if error is not None:
            self.note(f"error: {error}")

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def end(self) -> None:
        """Does nothing."""


class TerminalReporter:
    """Shows bars: one of the run's nodes, and one for each running node with its steps, reward and remaining time."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=BAR_WIDTH),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[metrics]}", markup=False),
            console=console,
            transient=True,
            redirect_stdout=False,  # the runner redirects the output of libraries
            redirect_stderr=False,
        )
        self._run: TaskID | None = None
        self._steps: dict[str, TaskID] = {}

    def begin(self, nodes: int, done: int) -> None:
        self.note(f"{nodes} results: {done} in the store, {nodes - done} to make")
        self._run = self._bars.add_task("run", total=nodes, completed=done, metrics="")
        self._bars.start()

    def node_started(self, node: Node, index: int) -> None:
        self._steps[node.key] = self._bars.add_task(self._shortened(node_title(node)), total=None, metrics="")

    def _shortened(self, title: str) -> str:
        """Returns the title, shortened so that the numbers of the bar fit."""
        room = max(SHORTEST_TITLE, self._console.width - BAR_WIDTH - NUMBERS_WIDTH)
        return title if len(title) <= room else f"{title[: room - 1]}…"

    def progress(self, node: Node, done: int, total: int, metrics: Mapping[str, float]) -> None:
        if node.key in self._steps:
            self._bars.update(self._steps[node.key], completed=done, total=total, metrics=shown_metrics(metrics))

    def node_finished(self, node: Node, seconds: float, error: HarnessError | None) -> None:
        self._bars.remove_task(self._steps.pop(node.key))
        self.note(f"{'✗' if error else '✓'} {node_title(node)}  {seconds:.1f} s")
        if error is not None:
            self.note(f"error: {error}")
        if self._run is not None:
            self._bars.advance(self._run)

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def end(self) -> None:
        self._bars.stop()


def reporter_for(console: Console) -> Reporter:
    """Returns a reporter with bars if `console` is a terminal, otherwise with lines."""
    return TerminalReporter(console) if console.is_terminal else PlainReporter(console)
