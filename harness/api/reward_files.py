"""Scores the completions in a file, to test a reward or inspect its results."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.protocols import installed_plugins
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.domains.reward_rows import ScoredRow
    from harness.plugin.registry import Registry


def score_file(
    reward: str,
    file: str | Path,
    *,
    config: str | Path | Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    check: bool = False,
    registry: Registry | None = None,
) -> Iterator[ScoredRow]:
    """Returns an iterator that scores the rows of a JSON-lines file, in order. The arguments are checked at once.

    reward: its name, or distribution/name. file: each row is an object with `completion`, usually `prompt`, and the
    columns that the reward reads; `expected` may hold the expected value, null or outcome. `-` reads standard input.
    config: the reward's config, or a YAML or JSON file with it. settings: `key=value` texts that override it. columns:
    the file's name of a column by the name that the reward reads. check: require a row with `expected`. registry: the
    plugins to use; default: all installed ones. Raises PluginError if there is no such reward or it breaks its
    contract, ProtocolError for its config, UsageError for the file.

    Rewards that execute code need no permission here: naming one is consent.
    """
    from harness.domains.reward_rows import read_rows, score_rows
    from harness.plugin.specs import NEEDS
    from harness.protocol import instance_of, resolve_plugin

    plugins = installed_plugins(registry)
    use = resolve_plugin(plugins, "reward", reward, config=config, settings=settings, allow=NEEDS)
    built = instance_of(use, plugins)
    content, where = _content(file)
    rows = read_rows(content, where, columns or {})
    if check and not any(row.compared for row in rows):
        raise UsageError("no row has a column `expected`, so there is nothing to check", where=where)
    return score_rows(built, rows, f"reward {reward!r}")


def _content(file: str | Path) -> tuple[bytes, str]:
    """Returns the contents of the file, and its name for messages."""
    if file == "-":
        return sys.stdin.buffer.read(), "standard input"
    try:
        return Path(file).expanduser().read_bytes(), str(file)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror or error}", where=str(file)) from None
