"""The protocol's section `resources`: what steps need where they run. No key and no result depends on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from typing import Protocol as Interface

from harness.plugin.engine_interface import Resources
from harness.protocol.faults import Faults, near_match
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.plugin_uses import PluginUses

NODE_KINDS = ("train", "recover", "merge", "evaluate", "probe")
PLUGIN_KINDS = ("algorithm", "recovery", "merge", "probe")
"""The kinds of plugins that compute nodes, which resources can be stated for by name."""


class PlacedNode(Interface):
    """What a node's resources depend on."""

    @property
    def kind(self) -> str: ...

    @property
    def trained_with(self) -> PluginRef | None: ...

    def calls(self, domains: Mapping[str, Any]) -> Sequence[tuple[PluginRef, Any]]: ...


def resources_of(node: PlacedNode, stated: Mapping[str, Mapping[str, Any]]) -> Resources:
    """Returns what a node needs. stated: the section `resources`.

    The entry of the plugin that computes the node comes first, then that of the algorithm that it trains with, of the
    node's kind, and of `train` for a recovery that trains. Values are not merged.
    """
    names = [name for use, _ in node.calls({}) for name in (use.name, use.name.rpartition("/")[2])]
    kinds = [node.kind, *(["train"] if node.trained_with is not None else [])]
    found = next((stated[name] for name in (*names, *kinds) if name in stated), {})
    launch: Mapping[str, Any] = getattr(node, "launch", None) or {}
    machines = launch.get("num_machines", 1)
    return Resources(**found, processes=launch.get("num_processes", 1) // machines, machines=machines)


def check_resources(section: Mapping[str, Any], uses: PluginUses, faults: Faults) -> None:
    """Records a fault for each entry that is neither a kind of node nor the name of a plugin that computes nodes."""
    registered = [found for kind in PLUGIN_KINDS for found in uses.registry.all(kind)]
    known = {*NODE_KINDS, *(found.name for found in registered), *(found.qualified for found in registered)}
    for name in section:
        if name not in known:
            hint = near_match(str(name), (*NODE_KINDS, *(found.name for found in registered)))
            message = f"{name!r} is neither a kind of step ({', '.join(NODE_KINDS)}) nor a plugin that computes one"
            faults.add(("resources", name), message, hint)
