"""Attributes errors about stored checkpoints to the steps that wrote them, and reports changed files as damage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.errors import CheckpointError, DiskFull, HarnessError, StepFailed
from harness.execution.restoring import PLACE
from harness.execution.store_marker import DamagedResult
from harness.planning.node import Node, StepNode
from harness.planning.plan import Plan

if TYPE_CHECKING:
    from harness.execution.store import Store


@contextmanager
def stored_faults(plan: Plan, node: Node, store: Store) -> Iterator[None]:
    """Context manager that adds, to a CheckpointError about stored inputs of `node`, the labels of the steps that wrote
    them.

    If a plugin or a checkpoint fails, the inputs of `node` are compared with their digests. If one has changed, raises
    DamagedResult instead of the original error.
    """
    try:
        yield
    except (CheckpointError, StepFailed) as error:
        if isinstance(error, DiskFull | DamagedResult):
            raise
        labels = _labels(plan, node, store)
        for folder, (key, label) in labels.items():
            met = folder in str(error) if isinstance(error, CheckpointError) else _from_plugin(error)
            faults = store.verify(key) if met else []
            if faults:
                raise DamagedResult(store.path(key), faults[0], label=label) from error
        if not isinstance(error, CheckpointError):
            raise
        where, message = error.where, error.message
        for folder, (_, label) in labels.items():
            where, message = (text.replace(folder, f"{label} ({folder})") for text in (where, message))
        raise CheckpointError(message, where=where, hint=error.hint) from error


def _labels(plan: Plan, node: Node, store: Store) -> dict[str, tuple[str, str]]:
    """Returns the key and the label of each stored checkpoint that `node` reads, by the folder of its model."""
    found = {}
    for key in dict.fromkeys(step for parent in node.parents for step in plan.lineage_of(parent)):
        if isinstance(plan.nodes[key], StepNode) and store.has(key):
            named = key, plan.nodes[key].label
            found[str(store.path(key) / "model")] = named
            found[str(store.root / PLACE / key)] = named
    return found


def _from_plugin(error: HarnessError) -> bool:
    """Returns whether a plugin raised an exception other than a HarnessError, which its input may have caused."""
    return error.__cause__ is not None and not isinstance(error.__cause__, HarnessError)
