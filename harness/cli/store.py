"""`harness store`: lists, verifies, repairs and prunes stored results."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness._util.console import safe_console

if TYPE_CHECKING:
    from harness import Pruning, StoredResult

commands = typer.Typer(no_args_is_help=True, help="List, verify, repair and prune stored results.")

RunsArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[RUNS]", help="The folder of runs and store. Default: HARNESS_RUNS, else runs."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, without removing it.")]


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.add_typer(commands, name="store")


@commands.command("list")
def list_results(runs: RunsArgument = None, *, as_json: JsonOption = False) -> None:
    """List the stored results, largest first: key, kind, size, label, and the runs that use them."""
    from harness.api import open_store

    results = open_store(runs).results
    if as_json:
        typer.echo(json.dumps([asdict(result) for result in results], indent=2))
        return
    if results:
        typer.echo(f"{'key':<12}  {'kind':<10}  {'size':>10}  label  [runs]")
    for result in results:
        typer.echo(_line(result))
    typer.echo(_total(results))


@commands.command("size")
def size(runs: RunsArgument = None, *, as_json: JsonOption = False) -> None:
    """Print the disk usage of the results by kind and by run, and how much is used by a single run only."""
    from harness._util.disk import format_bytes
    from harness.api import open_store

    usage = open_store(runs).usage()
    if as_json:
        data = asdict(usage)
        del data["results"]
        typer.echo(json.dumps(data, indent=2))
        return
    for kind, taken in usage.kinds.items():
        typer.echo(f"{format_bytes(taken):>12}  {kind}")
    for name, run in sorted(usage.runs.items(), key=lambda item: -item[1].size):
        typer.echo(f"{format_bytes(run.size):>12}  run {name}, {format_bytes(run.only_here)} of it alone")
    typer.echo(f"{format_bytes(usage.unreferenced):>12}  no run refers to")
    typer.echo(f"{usage.results} results, {format_bytes(usage.total)}")


@commands.command("verify")
def verify(runs: RunsArgument = None, *, as_json: JsonOption = False) -> None:
    """Read every stored file and compare it with its sha256. Exit code 1 if any result is damaged."""
    from harness.api import open_store
    from harness.errors import StepFailed

    store = open_store(runs)
    with _progress() as progress:
        found = store.verify(progress)
    if as_json:
        data = [asdict(one.result) | {"faults": list(one.faults)} for one in found.damaged]
        typer.echo(json.dumps({"results": found.results, "damaged": data}, indent=2))
    else:
        for one in found.damaged:
            typer.echo(_line(one.result))
            for fault in one.faults:
                typer.echo(f"    {fault}")
    if found.damaged:
        raise StepFailed(
            f"{len(found.damaged)} of {found.results} results are damaged",
            where=str(store.folder),
            hint=f"`harness store repair {store.folder.parent}` removes them, and `harness run` computes them again",
        )
    if not as_json:
        typer.echo(f"{store.folder}: {found.results} results, all as they were written")


@commands.command("repair")
def repair(runs: RunsArgument = None, *, dry_run: DryRunOption = False) -> None:
    """Remove damaged results, so that the next `harness run` recomputes them. From a result with extra files, only
    these are removed.

    A checkpoint stored as a delta of a removed one becomes readable again when that has been recomputed.
    """
    from harness.api import open_store

    store = open_store(runs)
    with _progress() as progress:
        found = store.repair(dry_run=dry_run, progress=progress)
    for one in found.damaged:
        line = _line(one.result)
        typer.echo(f"left {line}: {one.unreadable}" if one.unreadable else f"{line}: {one.faults[0]}: {one.repair}")
    typer.echo(f"{store.folder}: {len(found.damaged)} of {found.results} results were damaged")


@commands.command("prune")
def prune(
    run: Annotated[list[str] | None, typer.Argument(metavar="[RUN]…", help="More runs to keep.")] = None,
    *,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="RUN", help="A run to keep. Repeatable. Default: all runs."),
    ] = None,
    runs: Annotated[Path | None, typer.Option("-o", "--runs", metavar="RUNS", help="The folder of runs.")] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Remove all results that no kept run uses, except those in use by running processes."""
    from harness._util.disk import format_bytes
    from harness.api import open_store

    pruning = open_store(runs).prune(
        [*(keep or ()), *(run or ())], confirm=lambda found: _confirmed(found, dry_run=dry_run, yes=yes)
    )
    if not pruning.unused:
        _print_pruning(pruning)
    if pruning.removed:
        unfinished = sum(result.unfinished for result in pruning.removed)
        freed = format_bytes(sum(result.size for result in pruning.removed))
        typer.echo(f"removed {len(pruning.removed) - unfinished} results and {unfinished} unfinished ones: {freed}")


def _confirmed(pruning: Pruning, *, dry_run: bool, yes: bool) -> bool:
    """Returns whether to remove the results, after showing them."""
    from harness.errors import UsageError

    _print_pruning(pruning)
    if dry_run or yes:
        return not dry_run
    if not sys.stdin.isatty():
        raise UsageError("this removes results", hint="confirm with --yes; --dry-run shows what would be removed")
    return typer.confirm("remove them?")


def _print_pruning(pruning: Pruning) -> None:
    for result in pruning.unused:
        typer.echo(_line(result))
    if pruning.in_use:
        typer.echo(f"{pruning.in_use} more results are in use by running processes and are kept")
    kept = ", ".join(pruning.kept) or "no run"
    typer.echo(f"kept: the results of {kept}; to remove: {_total(pruning.unused)}")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Yields a function that shows the bytes read and in total as a progress bar on a terminal."""
    from rich.progress import Progress

    with Progress(console=safe_console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("reading", total=None)
        yield lambda read, total: progress.update(task, completed=read, total=total)


def _line(result: StoredResult) -> str:
    from harness._util.disk import format_bytes

    label = result.label or "-"
    damage = "" if result.state == "done" or result.unfinished else "  DAMAGED"
    runs = ", ".join(result.runs) or "no run"
    return f"{result.key[:12]}  {result.kind:<10}  {format_bytes(result.size):>10}  {label}  [{runs}]{damage}"


def _total(results: Sequence[StoredResult]) -> str:
    from harness._util.disk import format_bytes

    return f"{len(results)} results, {format_bytes(sum(result.size for result in results))}"
