"""Prints the folders of tests that mirror what was touched: `python tests/support/touched.py [COMMIT]`.

Touched is what differs from COMMIT (by default HEAD: what is not committed) and what git does not know yet.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
GROUPS = {"harness_algorithms": "algorithms", "harness_recoveries": "recoveries", "harness_models": "models"}
"""Groups of plugins whose tests share one folder; those of harness_domains have a folder for each domain."""
OWN_NAMES = {"_util": "util"}


def folder_of(path: str) -> str | None:
    """Returns the folder of the tests of a file, relative to the repository; None for a file that has none."""
    parts = PurePosixPath(path).parts
    if parts[0] == "harness":
        package = parts[1] if len(parts) > 2 else "project"
        return f"tests/{OWN_NAMES.get(package, package)}"
    if parts[0] == "plugins" and len(parts) > 2:
        group = parts[1]
        name = parts[2] if group == "harness_domains" else GROUPS.get(group, group.removeprefix("harness_"))
        return f"tests/plugins/{name}"
    if parts[0] == "tests" and len(parts) > 2:
        return "/".join(parts[:3] if parts[1] == "plugins" else parts[:2])
    return "tests/project" if path.endswith((".md", ".toml", ".txt", "Makefile")) else None


def folders_of(paths: Iterable[str]) -> list[str]:
    """Returns the folders of the tests of some files, those that exist, each once. End-to-end tests are left out."""
    found = {folder for path in paths if (folder := folder_of(path)) and folder != "tests/end_to_end"}
    return sorted(folder for folder in found if any((ROOT / folder).glob("test_*.py")))


def touched(since: str) -> list[str]:
    """Returns the paths of the files that differ from a commit, and of those that git does not know."""
    commands = (["diff", "--name-only", since], ["ls-files", "--others", "--exclude-standard"])
    outputs = (
        subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True) for words in commands
    )
    return [line for output in outputs for line in output.stdout.splitlines()]


if __name__ == "__main__":
    print(*folders_of(touched(*(sys.argv[1:] or ["HEAD"]))))
