"""Renders, combines and checks leaderboards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.protocols import installed_plugins
from harness.errors import HarnessError, PluginError, UsageError

if TYPE_CHECKING:
    from harness.api.runs import Run
    from harness.plugin.registered import RegisteredPlugin
    from harness.plugin.registry import Registry
    from harness.results.leaderboard import Leaderboard
    from harness.results.probe_tables import ProbeRecord

_MOST_SHOWN = 20


def combine_runs(
    runs: Sequence[Run], *, allow_mixed: bool = False, published: bool | str | Path = False
) -> Leaderboard:
    """Returns the leaderboards of several runs as one, ranked together.

    allow_mixed: mark rows that were measured differently instead of rejecting them. published: add the results of
    papers as separate tables, from `leaderboards/published` (True) or the given folder. Raises UsageError if a
    leaderboard or a published table cannot be read, or if the runs were measured differently.
    """
    from harness.results.combine import combine
    from harness.results.published import published_folder, read_published_folder

    leaderboard = combine([run.record for run in runs], allow_mixed=allow_mixed)
    if published is False:
        return leaderboard
    folder = published_folder() if published is True else Path(published)
    return leaderboard.model_copy(update={"published": read_published_folder(folder)})


def render_leaderboard(leaderboard: Leaderboard, table_format: str = "md", *, registry: Registry | None = None) -> str:
    """Returns the leaderboard as text in a table format, such as `md`, `csv`, `latex` or `html`.

    registry: the plugins to use; default: all installed ones. Raises PluginError if there is no such format, or if it
    fails.
    """
    return rendered(installed_plugins(registry).find("table-format", table_format), leaderboard)


def rendered(plugin: RegisteredPlugin, leaderboard: Leaderboard) -> str:
    """Returns the leaderboard in a table format. Raises PluginError with the distribution if this fails."""
    table_format = plugin.build(plugin.config_type()())
    try:
        text = table_format.render(leaderboard)
    except HarnessError:
        raise
    except Exception as error:
        raise PluginError(
            f"the table format {plugin.qualified} (version {plugin.version}) failed: {type(error).__name__}: {error}",
            hint="choose another format, or report it to its authors",
        ) from error
    if not isinstance(text, str):
        raise PluginError(f"the table format {plugin.qualified} gave {type(text).__name__}, not text")
    return text


def check_leaderboard(file: str | Path) -> Leaderboard:
    """Returns the leaderboard in a file whose means, intervals, metrics, ranks and footnotes follow from its scores.

    file: a leaderboard.json. Nothing is measured again. Raises UsageError if the file cannot be read, has an older
    schema or is inconsistent.
    """
    from harness.results.check import inconsistencies
    from harness.results.leaderboard import SCHEMA_VERSION, Leaderboard

    leaderboard = Leaderboard.read(Path(file), upgrade=False)
    _check(Path(file), leaderboard.schema_version, SCHEMA_VERSION, lambda: inconsistencies(leaderboard))
    return leaderboard


def check_probe_record(file: str | Path) -> ProbeRecord:
    """Returns the probe results in a file whose tables follow from its rows.

    file: a probes.json. Raises UsageError if the file cannot be read, has an older schema or is inconsistent.
    """
    from harness.results.probe_tables import SCHEMA_VERSION, ProbeRecord, inconsistencies

    record = ProbeRecord.read(Path(file), upgrade=False)
    _check(Path(file), record.schema_version, SCHEMA_VERSION, lambda: inconsistencies(record))
    return record


def _check(file: Path, schema: int, current: int, inconsistencies: Callable[[], list[str]]) -> None:
    hint = f"`harness leaderboard rebuild {file.parent}` recomputes them from the scores in the record"
    if schema < current:
        raise UsageError(f"this record has schema {schema}, whose intervals are too narrow", where=str(file), hint=hint)
    if found := inconsistencies():
        more = [f"and {len(found) - _MOST_SHOWN} more"] if len(found) > _MOST_SHOWN else []
        raise UsageError(
            "this record is inconsistent:\n  " + "\n  ".join(found[:_MOST_SHOWN] + more),
            where=str(file),
            hint=f"if numbers do not follow from the scores: {hint}",
        )
