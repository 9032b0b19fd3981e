"""A cache of checkpoint artifacts in the store, shared by steps and probes.

Artifacts have their own keys and are not part of other keys. They can be deleted at any time and are then recomputed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness._util.content_key import content_key
from harness.execution.seeds import named_seed
from harness.planning.node import Node
from harness.planning.plan import Plan

if TYPE_CHECKING:
    from harness.execution.store import Store
    from harness.plugin.interfaces import LineageEntry
    from harness.plugin.registry import RegisteredPlugin


class StoredArtifactCache:
    """`RecoveryContext.cache` and `ProbeContext.cache` of one node."""

    def __init__(self, plan: Plan, node: Node, store: Store, plugin: RegisteredPlugin) -> None:
        self._plan = plan
        self._node = node
        self._store = store
        self._plugin = plugin

    @property
    def seed(self) -> int:
        return named_seed(self._node.seed, "measure")

    def __call__(
        self,
        name: str,
        make: Callable[[Path], None],
        *,
        checkpoint: LineageEntry,
        domain: str,
        settings: Mapping[str, Any],
    ) -> Path:
        """Returns the folder. Calls `make` if the store does not have it and no other process is computing it.

        The key consists of the harness, the name, the checkpoint's key, the domain (as in keys of trainings), the
        settings, and the plugin unless `make` is a function of the harness itself.
        """
        own = str(getattr(make, "__module__", "")).split(".")[0] == "harness"
        definition = {
            "kind": "shared",
            "harness": self._plan.harness,
            "plugin": None if own else self._plugin.identity,
            "name": name,
            "checkpoint": self._node.lineage[checkpoint.step],
            "domain": self._plan.domains[domain].definition(),
            "settings": dict(settings),
        }
        key = content_key(**definition)
        with self._store.lock(key):
            if not self._store.has(key):
                with self._store.writing(key, {"definition": definition}) as folder:
                    make(folder)
            else:
                self._store.check(key, "")
        return self._store.path(key)
