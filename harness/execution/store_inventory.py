"""The contents of a store, the runs that refer to them, and the results in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.execution.run_folder import PLAN
from harness.execution.store import State, Store
from harness.planning.plan import Plan
from harness.planning.serialization import read_plan

UNFINISHED = "unfinished"
SHARED = "shared"


@dataclass(frozen=True, kw_only=True)
class StoredResult:
    """One entry of a store. size: in bytes. runs: the names of the run folders whose plan includes it."""

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
    """Returns all results and all unfinished work, largest first."""
    scratch = store.root / ".scratch"
    found = [_entry(store, key, plans) for key in store.results()]
    for key in Store(scratch).results():
        found.append(replace(_entry(store, key, plans), kind=UNFINISHED, size=size_of_folder(scratch / key)))
    return sorted(found, key=lambda result: (-result.size, result.label, result.key))


def _entry(store: Store, key: str, plans: Mapping[str, Plan]) -> StoredResult:
    definition = _definition(store, key)
    # A cached measurement is in no plan, but the checkpoint that it describes is.
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
    """Returns the kind of a result that is in no plan, inferred from its files."""
    if (folder / "model").is_dir():
        return "checkpoint"
    return "rows" if (folder / "rows.json").is_file() else SHARED


def size_of_folder(folder: Path) -> int:
    """Returns the total size in bytes of the files in `folder`. Ignores files that are deleted in the meantime."""
    size = 0
    for path in folder.rglob("*"):
        try:
            size += path.lstat().st_size if not path.is_dir() else 0
        except OSError:
            continue
    return size


def keys_in_use(store: Store, plans: Mapping[str, Plan], results: Sequence[StoredResult]) -> set[str]:
    """Returns the keys of those `results` that active processes compute or may read: all results of an active run, and
    the inputs of a single active step.

    Raises UsageError if the plan of an active run is not among `plans`.
    """
    used: set[str] = set()
    for name in store.locks.held():
        key, _, kind = name.partition(".")
        if kind == "run":
            names = {name for name, plan in plans.items() if plan.key == key}
            if not names:
                raise UsageError(
                    "an active run uses this store, and its plan cannot be read",
                    where=str(store.root),
                    hint="wait until the run has ended",
                )
            used.update(result.key for result in results if names.intersection(result.runs))
        else:
            used.update({key}, *(plan.steps_behind(key) for plan in plans.values() if key in plan.nodes))
    return used
