"""The files of the harness that the keys of results cover: all except those listed here.

A file may be listed only if no covered file imports it; a test checks this.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from harness.plugin.source_digest import HARNESS, digest_of, package_files

UNKEYED_SOURCE: Mapping[str, tuple[str, ...]] = {
    "reads the command line and prints": (
        "__main__.py",
        "_util/console.py",
        "_util/console_log.py",
        "_util/environment.py",
        "_util/printable.py",
        "api",
        "cli",
        "execution/preview.py",
        "execution/progress.py",
    ),
    "decides what is computed, where and when; what it decides is in the definitions": (
        "_util/processor.py",
        "execution/dispatch.py",
        "execution/engines",
        "execution/events.py",
        "execution/node_watch.py",
        "execution/prefetch.py",
        "execution/readiness",
        "execution/requests.py",
        "execution/runner.py",
        "execution/worker.py",
        "planning/counts.py",
        "planning/dependents.py",
        "planning/disk_need.py",
        "planning/estimate.py",
        "planning/model_shape.py",
        "planning/planner.py",
        "planning/requirements.py",
        "planning/schedule.py",
        "planning/serialization.py",
        "planning/states.py",
        "planning/unpinned.py",
        "planning/why.py",
        "plugin/capacity.py",
    ),
    "reads stored results and shows or checks them": (
        "evaluation/replay.py",
        "execution/leaderboard.py",
        "execution/score_curves.py",
        "execution/metric_columns.py",
        "execution/provenance.py",
        "execution/observing",
        "execution/run_folder.py",
        "execution/status",
        "execution/store_inventory.py",
        "execution/stored_probe_rows.py",
        "execution/stored_samples.py",
        "execution/undamaged.py",
        "planning/titles.py",
        "report",
        "results/check.py",
        "results/columns.py",
        "results/combine.py",
        "results/compare.py",
        "results/score_curves.py",
        "results/estimates.py",
        "results/flips.py",
        "results/frame.py",
        "results/leaderboard.py",
        "results/numbers.py",
        "results/probe_rows.py",
        "results/probe_tables.py",
        "results/published.py",
        "results/ranks.py",
        "results/rebuild.py",
        "results/run_comparison.py",
        "results/settings.py",
        "verification",
    ),
    "has results of its own, which are not in the store": ("domains/reward_rows.py", "prediction"),
    "serves tests and editors": ("protocol/schema.py", "testing"),
}
"""Excluded files, patterns and folders, relative to the package, by the reason why no result depends on them."""


def keyed_files() -> dict[str, Path]:
    """Returns the files covered by the keys. Raises FileNotFoundError if an excluded file does not exist."""
    files = package_files(HARNESS)
    for path in (path for paths in UNKEYED_SOURCE.values() for path in paths):
        pattern = f"{HARNESS}/{path}"
        excluded = [file for file in files if fnmatch(file, pattern) or file.startswith(f"{pattern}/")]
        if not excluded:
            raise FileNotFoundError(f"harness.plugin.keyed_source names {path}, which does not exist")
        for file in excluded:
            del files[file]
    return files


def harness_digest() -> str:
    """Returns the digest of the files covered by the keys."""
    return digest_of(keyed_files())
