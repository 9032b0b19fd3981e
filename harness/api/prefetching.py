"""Downloads everything that a run needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.api.protocols import ProtocolName, check_protocol, installed_plugins

if TYPE_CHECKING:
    from harness.execution.prefetch import Fetched
    from harness.plugin.registry import Registry


def prefetch(
    protocol: ProtocolName,
    *,
    starting: Callable[[str], None] | None = None,
    finished: Callable[[Fetched], None] | None = None,
    registry: Registry | None = None,
) -> list[Fetched]:
    """Downloads the model, data and tasks that a run needs, so that it works with `HARNESS_OFFLINE=1`. Returns a record
    of each part.

    protocol: a path, or the name of a packaged protocol. starting, finished: called before and after each part, with
    its name and its record. registry: the plugins to use; default: all installed ones. Raises ProtocolError for a
    protocol that is not valid, and UsageError, CheckpointError or PluginError if a part is not available.
    """
    from harness._util.environment import prepare_libraries
    from harness.planning.planner import make_plan

    prepare_libraries()
    from harness.execution.prefetch import prefetch as fetch

    plugins = installed_plugins(registry)
    plan = make_plan(check_protocol(protocol, plugins), plugins)
    found = []
    for part in fetch(plan, plugins, starting or (lambda name: None)):
        found.append(part)
        if finished is not None:
            finished(part)
    return found
