"""The requirements of a plan's plugins: code execution, network access, a GPU."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec

from harness.planning.checks import sandbox_tier
from harness.planning.plan import Plan
from harness.protocol.plugin_ref import PluginRef


@dataclass(frozen=True, kw_only=True)
class NeedOf:
    """A requirement of a plugin. plugin: its kind and name. nodes: the number of nodes that run it. sandboxes: the
    sandbox tiers in its config for the code that it executes."""

    need: str
    plugin: str
    nodes: int
    sandboxes: tuple[str, ...] = ()


def needs_of(plan: Plan, *, without: Collection[str] = ()) -> list[NeedOf]:
    """Returns the requirements of a plan's plugins, by need and plugin, for nodes whose keys are not in `without`."""
    found: dict[tuple[str, str], tuple[int, PluginRef]] = {}
    for node in plan.nodes.values():
        if node.key in without:
            continue
        pairs = {(need, f"{use.kind} {use.name}"): use for use in node.plugins(plan.domains) for need in use.needs}
        for pair, use in pairs.items():
            found[pair] = (found.get(pair, (0, use))[0] + 1, use)
    return [
        NeedOf(need=need, plugin=plugin, nodes=count, sandboxes=_tiers(use) if need == "executes-code" else ())
        for (need, plugin), (count, use) in sorted(found.items(), key=lambda item: item[0])
    ]


def sandboxes_here() -> dict[str, bool]:
    """Returns for each tier whether its software is installed. Does not start it."""
    return {"bubblewrap": shutil.which("bwrap") is not None, "monty": find_spec("pydantic_monty") is not None}


def _tiers(use: PluginRef) -> tuple[str, ...]:
    tier = sandbox_tier(use)
    return () if tier is None else (tier,)
