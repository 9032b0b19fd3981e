"""`harness store`: lists, verifies, repairs and prunes stored results."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness._util.console import safe_console
from harness.api.protocols import runs_folder

if TYPE_CHECKING:
    from harness.execution.store import Store
    from harness.execution.store_inventory import StoredResult
    from harness.execution.store_marker import Fault
    from harness.planning.plan import Plan

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
    from harness.execution.store_inventory import inventory, plans_of

    store = _store(runs)
    results = inventory(store, plans_of(store.root.parent)[0])
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
    from harness.execution.store_inventory import inventory, plans_of

    store = _store(runs)
    plans = plans_of(store.root.parent)[0]
    results = inventory(store, plans)
    kinds: Counter[str] = Counter()
    for result in results:
        kinds[result.kind] += result.size
    by_run = {
        name: {
            "size": sum(result.size for result in results if name in result.runs),
            "only_here": sum(result.size for result in results if result.runs == (name,)),
        }
        for name in plans
    }
    unreferenced = sum(result.size for result in results if not result.runs)
    if as_json:
        data = {"total": sum(kinds.values()), "kinds": kinds, "runs": by_run, "unreferenced": unreferenced}
        typer.echo(json.dumps(data, indent=2))
        return
    for kind, taken in kinds.most_common():
        typer.echo(f"{format_bytes(taken):>12}  {kind}")
    for name, taken_by in sorted(by_run.items(), key=lambda item: -item[1]["size"]):
        typer.echo(
            f"{format_bytes(taken_by['size']):>12}  run {name}, {format_bytes(taken_by['only_here'])} of it alone"
        )
    typer.echo(f"{format_bytes(unreferenced):>12}  no run refers to")
    typer.echo(_total(results))


@commands.command("verify")
def verify(runs: RunsArgument = None, *, as_json: JsonOption = False) -> None:
    """Read every stored file and compare it with its sha256. Exit code 1 if any result is damaged."""
    from harness.errors import StepFailed

    store = _store(runs)
    damaged, count = _damaged(store)
    if as_json:
        data = [asdict(result) | {"faults": list(map(str, faults))} for result, faults in damaged]
        typer.echo(json.dumps({"results": count, "damaged": data}, indent=2))
    else:
        for result, faults in damaged:
            typer.echo(_line(result))
            for fault in faults:
                typer.echo(f"    {fault}")
    if damaged:
        raise StepFailed(
            f"{len(damaged)} of {count} results are damaged",
            where=str(store.root),
            hint=f"`harness store repair {store.root.parent}` removes them, and `harness run` computes them again",
        )
    if not as_json:
        typer.echo(f"{store.root}: {count} results, all as they were written")


@commands.command("repair")
def repair(runs: RunsArgument = None, *, dry_run: DryRunOption = False) -> None:
    """Remove damaged results, so that the next `harness run` recomputes them. From a result with extra files, only
    these are removed.

    A checkpoint stored as a delta of a removed one becomes readable again when that has been recomputed.
    """
    from harness.execution.store_marker import UnknownFormat, read_marker

    store = _store(runs)
    damaged, count = _damaged(store)
    with _removing(store):
        for result, faults in damaged:
            try:
                read_marker(store.path(result.key))
            except UnknownFormat as error:
                typer.echo(f"left {_line(result)}: {error}")
                continue
            except (OSError, ValueError):
                pass
            if dry_run:
                done = "would be repaired"
            elif all(fault.added for fault in faults):
                for fault in faults:
                    (store.path(result.key) / fault.name).unlink()
                done = f"removed {len(faults)} added file{'s' if len(faults) > 1 else ''} from it"
            else:
                done = "removed" if store.remove(result.key) else "left, a process is computing it"
            typer.echo(f"{_line(result)}: {faults[0]}: {done}")
    typer.echo(f"{store.root}: {len(damaged)} of {count} results were damaged")


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
    from harness.errors import UsageError
    from harness.execution.store_inventory import UNFINISHED, inventory, keys_in_use, plans_of

    store = _store(runs)
    plans, unreadable = plans_of(store.root.parent)
    kept = _kept(store.root.parent, [*(keep or ()), *(run or ())], plans, unreadable)
    with _removing(store):
        results = inventory(store, plans)
        used = keys_in_use(store, plans, results)
        needed = {result.key for result in inventory(store, kept) if result.runs}
        gone = [result for result in results if result.key not in needed | used]
        for result in gone:
            typer.echo(_line(result))
        skipped = {result.key for result in results if result.key in used - needed}
        if skipped:
            typer.echo(f"{len(skipped)} more results are in use by running processes and are kept")
        typer.echo(f"kept: the results of {', '.join(kept) or 'no run'}; to remove: {_total(gone)}")
        if dry_run or not gone:
            return
        if not yes and not sys.stdin.isatty():
            raise UsageError("this removes results", hint="confirm with --yes; --dry-run shows what would be removed")
        if not yes and not typer.confirm("remove them?"):
            return
        removed = [result for result in gone if store.remove(result.key)]
        store.sweep()
    unfinished = sum(result.kind == UNFINISHED for result in removed)
    freed = format_bytes(sum(result.size for result in removed))
    typer.echo(f"removed {len(removed) - unfinished} results and {unfinished} unfinished ones: {freed}")


def _kept(runs: Path, names: Sequence[str], plans: dict[str, Plan], unreadable: Sequence[Path]) -> dict[str, Plan]:
    """Returns the plans of the runs to keep. Raises UsageError if one of them cannot be read."""
    from harness.api.find_run import find_begun_folder
    from harness.execution.run_folder import PLAN
    from harness.planning.serialization import read_plan

    if not names:
        for path in unreadable:
            read_plan(path)
        return plans
    folders = [find_begun_folder(name, runs) for name in names]
    return {folder.name: read_plan(folder / PLAN) for folder in folders}


def _store(runs: Path | None) -> Store:
    """Returns the store in the folder of runs. Raises UsageError if there is none."""
    from harness.errors import UsageError
    from harness.execution.store import Store

    root = runs_folder(runs)
    root = root if root.name == "store" and not (root / "store").is_dir() else root / "store"
    if not root.is_dir():
        raise UsageError("there is no store", where=str(root), hint="give the folder passed to `harness run -o`")
    return Store(root)


@contextmanager
def _removing(store: Store) -> Iterator[None]:
    """Prevents runs from starting. Raises UsageError if another process is removing results."""
    from harness._util.locks import alone
    from harness.errors import UsageError
    from harness.execution.store import REMOVING

    try:
        with alone(store.lock_file(REMOVING)):
            yield
    except BlockingIOError:
        raise UsageError(
            "another process is removing results from this store, or a run is starting",
            where=str(store.root),
            hint="try again in a moment",
        ) from None


def _damaged(store: Store) -> tuple[list[tuple[StoredResult, list[Fault]]], int]:
    """Reads all results. Returns the damaged ones with their faults, and the total number of results."""
    from harness.execution.store_inventory import UNFINISHED, inventory, plans_of

    results = inventory(store, plans_of(store.root.parent)[0])
    results = [result for result in results if result.kind != UNFINISHED]
    found = []
    for result in _shown(results):
        faults = store.faults(result.key)
        if faults and store.path(result.key).exists():  # another process may have removed it meanwhile
            found.append((result, faults))
    return found, len(results)


def _shown(results: list[StoredResult]) -> Iterator[StoredResult]:
    """Yields the results, with a progress bar in bytes on a terminal."""
    from rich.progress import Progress

    with Progress(console=safe_console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("reading", total=sum(result.size for result in results))
        for result in results:
            yield result
            progress.advance(task, result.size)


def _line(result: StoredResult) -> str:
    from harness._util.disk import format_bytes
    from harness.execution.store_inventory import UNFINISHED

    label = result.label or "-"
    damage = "" if result.state == "done" or result.kind == UNFINISHED else "  DAMAGED"
    return f"{result.key[:12]}  {result.kind:<10}  {format_bytes(result.size):>10}  {label}  [{_named(result)}]{damage}"


def _named(result: StoredResult) -> str:
    return ", ".join(result.runs) or "no run"


def _total(results: Sequence[StoredResult]) -> str:
    from harness._util.disk import format_bytes

    return f"{len(results)} results, {format_bytes(sum(result.size for result in results))}"
