"""The contents of a store, the runs that refer to them, and the results in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness._util.locks import is_held
from harness.errors import UsageError
from harness.execution.run_folder import PLAN
from harness.execution.store import State, Store
from harness.planning.plan import Plan
from harness.planning.serialization import read_plan

UNFINISHED = "unfinished"
SHARED = "shared"


@dataclass(frozen=True, kw_only=True)
class StoredResult:
    """One entry of a store. size: its bytes. runs: the names of the run folders whose plan has it."""

    key: str
    kind: str
    label: str
    size: int
    state: State
    runs: tuple[str, ...]

    @property
    def unfinished(self) -> bool:
        """Whether it is unfinished work instead of a result."""
        return self.kind == UNFINISHED


def plans_of(runs: Path) -> tuple[dict[str, Plan], list[Path]]:
    """Returns the plan of each run by the name of its folder, and the plans that cannot be read."""
    found, unreadable = {}, []
    for path in sorted(runs.glob(f"*/{PLAN}")):
        try:
            found[path.parent.name] = read_plan(path)
        except UsageError:
            unreadable.append(path)
    return found, unreadable


def inventory(store: Store, plans: Mapping[str, Plan]) -> list[StoredResult]:
    """Returns all results and all unfinished work, the largest first."""
    scratch = store.root / ".scratch"
    found = [_entry(store, key, plans) for key in store.results()]
    for key in Store(scratch).results():
        found.append(replace(_entry(store, key, plans), kind=UNFINISHED, size=size_of_folder(scratch / key)))
    return sorted(found, key=lambda result: (-result.size, result.label, result.key))


def _entry(store: Store, key: str, plans: Mapping[str, Plan]) -> StoredResult:
    definition = _definition(store, key)
    # A result that steps share is in no plan, but the checkpoint that it was measured of is.
    of = str(definition.get("checkpoint")) if definition.get("kind") == SHARED else key
    nodes = {name: plan.nodes[of] for name, plan in plans.items() if of in plan.nodes}
    node = next(iter(nodes.values()), None)
    label = "" if node is None else f"{node.label} (seed {node.seed})"
    return StoredResult(
        key=key,
        kind=str(definition.get("kind") or (node.kind if node is not None else _kind_of(store.path(key)))),
        label=label if of == key or not label else f"{definition.get('name')} of {label}",
        size=size_of_folder(store.path(key)),
        state=store.state(key),
        runs=tuple(nodes),
    )


def _definition(store: Store, key: str) -> Mapping[str, Any]:
    definition = (store.definition(key) or {}).get("definition")
    return definition if isinstance(definition, dict) else {}


def _kind_of(folder: Path) -> str:
    """Returns what a result is that no plan knows, by what lies in it."""
    if (folder / "model").is_dir():
        return "checkpoint"
    return "rows" if (folder / "rows.json").is_file() else SHARED


def size_of_folder(folder: Path) -> int:
    """Returns the bytes of the files below `folder`, of those that are there while it looks."""
    size = 0
    for path in folder.rglob("*"):
        try:
            size += path.lstat().st_size if not path.is_dir() else 0
        except OSError:
            continue
    return size


def keys_in_use(store: Store, plans: Mapping[str, Plan], results: Sequence[StoredResult]) -> set[str]:
    """Returns the keys of those `results` that running processes compute or may read: all of a run that is going on,
    and what a single step starts from.

    Raises UsageError where a run is going on whose plan is not among `plans`.
    """
    locks = store.lock_file("")
    locked = [path.name for path in locks.iterdir() if not path.name.startswith(".")] if locks.is_dir() else []
    used: set[str] = set()
    for name in (name for name in locked if is_held(locks / name)):
        key, _, kind = name.partition(".")
        if kind == "run":
            names = {name for name, plan in plans.items() if plan.key == key}
            if not names:
                raise UsageError(
                    "a run that is going on uses this store, and its plan cannot be read",
                    where=str(store.root),
                    hint="wait until it has ended",
                )
            used.update(result.key for result in results if names.intersection(result.runs))
        else:
            used.update({key}, *(plan.steps_behind(key) for plan in plans.values() if key in plan.nodes))
    return used
