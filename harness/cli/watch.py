"""`harness watch`: follows a run until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from harness._util.signals import Terminated
from harness.api.protocols import runs_folder
from harness.cli.selection import ObserverOption
from harness.cli.session import session_of
from harness.cli.status import RunsFolder, WatchedRun

if TYPE_CHECKING:
    from rich.console import Console

    from harness import NodeStatus, RunStatus

SHARES = 5
"""Without a terminal, the progress of a result is printed at each fifth of its steps."""


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command("watch")(watch)


def watch(
    context: typer.Context,
    *,
    run: WatchedRun = None,
    runs: RunsFolder = None,
    observers: ObserverOption = None,
    every: Annotated[float, typer.Option("--every", metavar="SECONDS", min=0.1, help="Time between looks.")] = 2.0,
) -> None:
    """Follow a run until it ends. Ctrl-C ends only this command: the run goes on.

    With --observer, the curves of the run are passed on too, also those of a run that has ended.
    """
    from harness._util.console import terminal
    from harness.api import Run
    from harness.api.find_run import find_watched_folder

    console = terminal()
    plugins = session_of(context).registry if observers else None
    found = Run(find_watched_folder(run, runs_folder(runs)), registry=plugins)

    def warn(text: str) -> None:
        console.print(f"warning: {text}", markup=False)

    try:
        with found.observed(observers, warn) if observers else nullcontext(lambda: None) as pass_on:

            def look() -> RunStatus:
                now = found.status()
                pass_on()  # after the status: once the run has ended, nothing is missed
                return now

            follow(look, console, pause=lambda: time.sleep(every))
    except Terminated:
        raise
    except KeyboardInterrupt:
        console.print("the run goes on", markup=False)


def follow(look: Callable[[], RunStatus], console: Console, *, pause: Callable[[], None]) -> None:
    """Shows the statuses that `look` returns until the run has ended: as a live table on a terminal, else as lines."""
    if console.is_terminal:
        _follow_live(look, console, pause)
        return
    before: RunStatus | None = None
    while before is None or before.state == "running":
        if before is not None:
            pause()
        now = look()
        for line in changes(before, now):
            console.print(line, markup=False, soft_wrap=True)
        before = now


def _follow_live(look: Callable[[], RunStatus], console: Console, pause: Callable[[], None]) -> None:
    from rich.live import Live

    from harness.cli.status_view import overview

    now = look()
    with Live(overview(now), console=console, auto_refresh=False) as live:
        while now.state == "running":
            pause()
            now = look()
            live.update(overview(now), refresh=True)


def changes(before: RunStatus | None, now: RunStatus) -> Iterator[str]:
    """Yields a line for each change between two statuses, and the summary at first and at the end."""
    from harness.cli.status_view import summary_lines

    earlier = {node.key: node for node in before.nodes} if before is not None else {}
    for node in now.nodes:
        yield from _changes_of(earlier.get(node.key), node)
    if before is None or now.state != "running":
        yield from summary_lines(now)


def _changes_of(before: NodeStatus | None, now: NodeStatus) -> Iterator[str]:
    from harness.cli.status_view import duration, steps

    changed = before is None or before.state != now.state
    if now.state == "failed" and changed:
        yield f"{now.title}: failed: {now.error}"
    elif now.state == "done" and changed and before is not None:
        after = "" if now.seconds is None else f" after {duration(now.seconds)}"
        yield f"{now.title}: done{after}  {now.shown_metrics}".rstrip()
    elif now.state == "running" and (changed or _share(before) < _share(now)):
        yield f"{now.title}: running  {steps(now)}  {now.shown_metrics}".rstrip()


def _share(node: NodeStatus | None) -> int:
    return SHARES * (node.step or 0) // node.steps if node is not None and node.steps else 0
