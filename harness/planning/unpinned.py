"""Finds Hub models and data sets that are used at a branch or tag, which may change, instead of a commit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.planning.plan import Plan
from harness.protocol import instance_of
from harness.protocol.plugin_ref import PluginRef

if TYPE_CHECKING:
    from harness.plugin.hub_source import HubSource
    from harness.plugin.registry import Registry


def uses_of(plan: Plan) -> list[PluginRef]:
    """Returns the plugins of a plan that may use Hub files: its model, domains, rewards and evaluation-only columns."""
    domains = [use for domain in plan.domains.values() for use in (domain.plugin, domain.reward)]
    return [plan.base.model, *domains, *(column.plugin for column in plan.columns.values())]


def unpinned_of(uses: Iterable[PluginRef], registry: Registry) -> list[HubSource]:
    """Returns the sources that the plugins use at a revision other than a commit, without duplicates.

    Skips plugins that cannot be built or whose file is missing. These errors are reported where the plugin is used.
    """
    found: dict[HubSource, None] = {}
    for use in uses:
        try:
            found |= dict.fromkeys(source for source in instance_of(use, registry).hub_sources() if not source.pinned)
        except HarnessError:
            continue
    return list(found)
