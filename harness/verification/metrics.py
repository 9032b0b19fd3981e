"""Computes the metrics of plugins in a leaderboard again."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from harness.errors import HarnessError
from harness.execution.metric_columns import with_metrics
from harness.plugin.registry import Registry
from harness.protocol.single_plugin import resolve_plugin
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard
from harness.verification.findings import Difference, Findings
from harness.verification.numbers import agree
from harness.verification.scoring import plugin_of


def check_metrics(leaderboard: Leaderboard, registry: Registry, allow: Collection[str], findings: Findings) -> None:
    """Adds the numbers of metric plugins that do not follow from the scores."""
    bare = leaderboard.model_copy(
        update={"metrics": {}, "rows": tuple(row.model_copy(update={"metrics": {}}) for row in leaderboard.rows)}
    )
    for name, column in leaderboard.metrics.items():
        plugin = plugin_of(column.plugin)
        try:
            use = resolve_plugin(registry, "metric", str(plugin), config=column.config, allow=allow)
            again = with_metrics(bare, {name: use}, registry)
        except HarnessError as error:
            findings.missed(f"the metric {name} of {column.plugin} was not computed again: {error.message}")
            continue
        findings.first_of(_differences(leaderboard, again, name), 20)
        findings.done(f"the metric {name}, from the scores of the seeds")


def _differences(leaderboard: Leaderboard, again: Leaderboard, name: str) -> Iterator[Difference]:
    for row, computed in zip(leaderboard.rows, again.rows, strict=True):
        expected, found = computed.metrics[name].per_seed, row.metrics.get(name, Estimate()).per_seed
        if len(expected) != len(found) or not all(map(agree, expected, found)):
            yield f"leaderboard.json: {row.method}, {name}", expected, found
