"""Which models and data sets of the hub are taken at a branch or tag, which may move, and not at a commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.planning.plan import Plan
from harness.protocol import instance_of
from harness.protocol.plugin_ref import PluginRef

if TYPE_CHECKING:
    from harness.plugin.hub_source import HubSource
    from harness.plugin.registry import Registry


def uses_of(plan: Plan) -> list[PluginRef]:
    """Returns the plan's uses of plugins that may take something of the hub: its model, domains and rewards."""
    return [plan.base.model, *(use for domain in plan.domains.values() for use in (domain.plugin, domain.reward))]


def unpinned_of(uses: Iterable[PluginRef], registry: Registry) -> list[HubSource]:
    """Returns what the plugins take at a revision that is no commit, each once.

    A plugin that cannot be built, or whose file is missing, is passed over: it is told of where it is used.
    """
    found: dict[HubSource, None] = {}
    for use in uses:
        try:
            found |= dict.fromkeys(source for source in instance_of(use, registry).hub_sources() if not source.pinned)
        except HarnessError:
            continue
    return list(found)


def unpinned_lines(sources: Sequence[HubSource]) -> Iterator[str]:
    """Yields what a person is told of them: a line each, and what to do."""
    for source in sources:
        yield f"warning: not pinned to a commit: {source.noun} {source}"
    if sources:
        yield "  → their content may change while the keys stay the same; `harness prefetch` prints the commits to pin"
