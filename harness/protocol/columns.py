"""Reads the evaluation-only columns of a protocol: `evaluate.columns`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from harness.protocol.chat_format import chat_template_of
from harness.protocol.data import DeclaredColumn
from harness.protocol.faults import Faults
from harness.protocol.plugin_uses import PluginUses
from harness.protocol.shape import DEFAULT_COLUMN

IN_AVERAGE = "in_average"


def read_columns(
    evaluate: Mapping[str, Any], taken: Collection[str], uses: PluginUses, faults: Faults
) -> dict[str, DeclaredColumn]:
    """Returns the valid columns. evaluate: the protocol's section. taken: the names of domains and metrics."""
    section = evaluate.get("columns")
    read = {}
    for name, column in section.items() if isinstance(section, dict) else ():
        at = ("evaluate", "columns", name)
        if not isinstance(column, dict):
            continue
        if name in taken:
            faults.add(at, "is also the name of a domain or a metric", "all are columns: rename this one")
        counts = column.get(IN_AVERAGE, False)
        if not isinstance(counts, bool):
            faults.add((*at, IN_AVERAGE), f"should be true or false, not {counts!r}")
        config = {key: value for key, value in column.items() if key not in ("use", IN_AVERAGE)}
        plugin = uses.use(
            "domain",
            column.get("use", DEFAULT_COLUMN),
            config,
            at=(*at, "use") if "use" in column else at,
            place=lambda key, at=at: (*at, key),  # type: ignore[misc]
            beside=("use", IN_AVERAGE),
        )
        built = uses.built(plugin, at) if plugin is not None else None
        if plugin is None or built is None:
            continue
        template = chat_template_of(name, built, evaluate.get("chat_template"), faults)
        read[name] = DeclaredColumn(name=name, plugin=plugin, in_average=counts is True, chat_template=template)
    return read
