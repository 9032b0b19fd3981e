"""The store of a folder of runs: which results it holds, their size, and the removal of those that are damaged or not
used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.find_run import find_begun_folder
from harness.api.protocols import runs_folder
from harness.errors import UsageError
from harness.execution.run_folder import PLAN
from harness.execution.store import REMOVING, Store
from harness.execution.store_inventory import UNFINISHED, StoredResult, inventory, keys_in_use, plans_of
from harness.execution.store_marker import UnknownFormat, read_marker
from harness.planning.serialization import read_plan

if TYPE_CHECKING:
    from harness.execution.store_marker import Fault
    from harness.planning.plan import Plan


@dataclass(frozen=True, kw_only=True)
class RunUsage:
    """The bytes of the results that a run uses. only_here: of those that no other run uses."""

    size: int
    only_here: int


@dataclass(frozen=True, kw_only=True)
class StoreUsage:
    """The bytes of a store. results: the number of results. kinds: by kind of result, the largest first. runs: by run.
    unreferenced: of the results that no run uses."""

    results: int
    total: int
    kinds: dict[str, int]
    runs: dict[str, RunUsage]
    unreferenced: int


@dataclass(frozen=True, kw_only=True)
class DamagedEntry:
    """A damaged result. faults: what is wrong with its files. repair: what a repair did with it, or empty. unreadable:
    why a repair did not touch it: another version of the harness wrote it."""

    result: StoredResult
    faults: tuple[str, ...]
    repair: str = ""
    unreadable: str = ""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The outcome of reading all results. results: their number."""

    results: int
    damaged: tuple[DamagedEntry, ...]


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """What a pruning removes. kept: the runs whose results are kept. unused: the results to remove. in_use: the number
    of further results that are kept because running processes use them. removed: the results that were removed."""

    kept: tuple[str, ...]
    unused: tuple[StoredResult, ...]
    in_use: int
    removed: tuple[StoredResult, ...] = ()


class ResultStore:
    """The store of a folder of runs. folder: the store itself. Make one with `open_store`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._store = Store(folder)

    def __repr__(self) -> str:
        return f"ResultStore({str(self.folder)!r})"

    @property
    def results(self) -> list[StoredResult]:
        """The stored results and unfinished ones, the largest first."""
        return inventory(self._store, plans_of(self.folder.parent)[0])

    def usage(self) -> StoreUsage:
        """Returns the disk usage by kind and by run."""
        plans = plans_of(self.folder.parent)[0]
        results = inventory(self._store, plans)
        kinds: Counter[str] = Counter()
        for result in results:
            kinds[result.kind] += result.size
        runs = {
            name: RunUsage(
                size=sum(result.size for result in results if name in result.runs),
                only_here=sum(result.size for result in results if result.runs == (name,)),
            )
            for name in plans
        }
        unreferenced = sum(result.size for result in results if not result.runs)
        return StoreUsage(
            results=len(results),
            total=sum(kinds.values()),
            kinds=dict(kinds.most_common()),
            runs=runs,
            unreferenced=unreferenced,
        )

    def verify(self, progress: Callable[[int, int], None] | None = None) -> Verification:
        """Reads every stored file and compares it with its sha256.

        progress: called with the number of bytes read and in total.
        """
        found, count = self._damaged(progress)
        damaged = [DamagedEntry(result=result, faults=tuple(map(str, faults))) for result, faults in found]
        return Verification(results=count, damaged=tuple(damaged))

    def repair(self, *, dry_run: bool = False, progress: Callable[[int, int], None] | None = None) -> Verification:
        """Removes damaged results, so that the next run computes them again. From a result with extra files, only these
        are removed.

        dry_run: remove nothing. progress: as for `verify`. Raises UsageError if another process is removing results.
        """
        found, count = self._damaged(progress)
        with self._removing():
            damaged = [self._repaired(result, faults, dry_run=dry_run) for result, faults in found]
        return Verification(results=count, damaged=tuple(damaged))

    def prune(self, keep: Sequence[str] = (), *, confirm: Callable[[Pruning], bool] | None = None) -> Pruning:
        """Removes all results that no kept run uses, except those in use by running processes.

        keep: the runs, as for `load_run`; default: all. confirm: called with what would be removed, if anything;
        nothing is removed if it returns False. Raises UsageError if the plan of a run cannot be read or another process
        is removing results.
        """
        plans, unreadable = plans_of(self.folder.parent)
        if keep:
            kept = self._plans_to_keep(keep)
        else:
            kept = plans
            for path in unreadable:
                read_plan(path)  # raises UsageError
        with self._removing():
            results = inventory(self._store, plans)
            used = keys_in_use(self._store, plans, results)
            needed = {result.key for result in inventory(self._store, kept) if result.runs}
            pruning = Pruning(
                kept=tuple(kept),
                unused=tuple(result for result in results if result.key not in needed | used),
                in_use=len({result.key for result in results if result.key in used - needed}),
            )
            if not pruning.unused or (confirm is not None and not confirm(pruning)):
                return pruning
            removed = tuple(result for result in pruning.unused if self._store.remove(result.key))
            self._store.sweep()
        return replace(pruning, removed=removed)

    def _plans_to_keep(self, names: Sequence[str]) -> dict[str, Plan]:
        folders = [find_begun_folder(name, self.folder.parent) for name in names]
        return {folder.name: read_plan(folder / PLAN) for folder in folders}

    @contextmanager
    def _removing(self) -> Iterator[None]:
        """Prevents runs from starting. Raises UsageError if another process is removing results."""
        try:
            with self._store.locks.alone(REMOVING, "until known"):
                yield
        except BlockingIOError:
            raise UsageError(
                "another process is removing results from this store, or a run is starting",
                where=str(self.folder),
                hint="try again in a moment",
            ) from None

    def _damaged(
        self, progress: Callable[[int, int], None] | None
    ) -> tuple[list[tuple[StoredResult, list[Fault]]], int]:
        """Reads all results. Returns the damaged ones with their faults, and the total number of results."""
        results = [result for result in self.results if result.kind != UNFINISHED]
        total, read = sum(result.size for result in results), 0
        found = []
        for result in results:
            faults = self._store.faults(result.key)
            if faults and self._store.path(result.key).exists():  # another process may have removed it meanwhile
                found.append((result, faults))
            read += result.size
            if progress is not None:
                progress(read, total)
        return found, len(results)

    def _repaired(self, result: StoredResult, faults: Sequence[Fault], *, dry_run: bool) -> DamagedEntry:
        entry = DamagedEntry(result=result, faults=tuple(map(str, faults)))
        folder = self._store.path(result.key)
        try:
            read_marker(folder)
        except UnknownFormat as error:
            return replace(entry, unreadable=str(error))
        except (OSError, ValueError):
            pass
        if dry_run:
            return replace(entry, repair="would be repaired")
        if all(fault.added for fault in faults):
            for fault in faults:
                (folder / fault.name).unlink()
            return replace(entry, repair=f"removed {len(faults)} added file{'s' if len(faults) > 1 else ''} from it")
        removed = self._store.remove(result.key)
        return replace(entry, repair="removed" if removed else "left, a process is computing it")


def open_store(output: str | Path | None = None) -> ResultStore:
    """Opens the store of a folder of runs.

    output: the folder of runs, or the store in it; default: `HARNESS_RUNS` or `runs`. Raises UsageError if there is no
    store.
    """
    root = runs_folder(output)
    root = root if root.name == "store" and not (root / "store").is_dir() else root / "store"
    if not root.is_dir():
        raise UsageError("there is no store", where=str(root), hint="give the folder passed to `harness run -o`")
    return ResultStore(root)
