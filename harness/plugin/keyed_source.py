"""Which files of the harness are in the keys of results: all but those named here.

A file may be named here only if no other file of the harness that is in the keys imports it; a test checks that.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from harness.plugin.source_digest import HARNESS, digest_of, package_files

UNKEYED_SOURCE: Mapping[str, tuple[str, ...]] = {
    "reads the command line and prints": (
        "__main__.py",
        "cli",
        "console_log.py",
        "progress.py",
        "preview.py",
        "process_environment.py",
    ),
    "decides what is computed, where and when; what it decides is in the definitions": (
        "dependents.py",
        "disk_need.py",
        "engines",
        "model_shape.py",
        "node_events.py",
        "pinning.py",
        "plan.py",
        "plan_*.py",
        "prefetch.py",
        "processor.py",
        "readiness",
        "runner.py",
    ),
    "reads stored results and shows them": (
        "leaderboard*.py",
        "model_card.py",
        "probe_record.py",
        "probe_rows.py",
        "provenance.py",
        "published.py",
        "report",
        "run_folder.py",
        "statistics.py",
        "store_inventory.py",
        "tables",
        "titles.py",
        "undamaged.py",
    ),
    "has results of its own, which are not in the store": ("prediction", "reward_rows.py"),
    "serves tests and editors": ("protocol/schema.py", "testing"),
    "has only types": ("shared_results.py",),
}
"""Files (or patterns of them) and folders below the package, by the reason why no result depends on them."""


def keyed_files() -> dict[str, Path]:
    """Returns the files of the harness that are in the keys. Raises FileNotFoundError where an exception is missing."""
    files = package_files(HARNESS)
    for path in (path for paths in UNKEYED_SOURCE.values() for path in paths):
        pattern = f"{HARNESS}/{path}"
        named = [file for file in files if fnmatch(file, pattern) or file.startswith(f"{pattern}/")]
        if not named:
            raise FileNotFoundError(f"harness.plugin.keyed_source names {path}, which does not exist")
        for file in named:
            del files[file]
    return files


def harness_digest() -> str:
    """Returns the digest of the files that are in the keys."""
    return digest_of(keyed_files())
