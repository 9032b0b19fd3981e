"""`make check` runs the tests of the packages that were changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from touched import ROOT, folder_of, folders_of


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("harness/planning/planner.py", "tests/planning"),
        ("harness/_util/files.py", "tests/util"),
        ("plugins/harness_domains/math/reward.py", "tests/plugins/math"),
        ("plugins/harness_recoveries/rollback/curve.py", "tests/plugins/recoveries"),
        ("plugins/harness_lab/lab.yaml", "tests/plugins/lab"),
        ("tests/plugins/code/test_code_reward.py", "tests/plugins/code"),
        ("docs/plugins.md", "tests/project"),
        ("benchmarks/coverage.py", None),
    ],
)
def test_a_file_has_the_tests_that_mirror_it(path, folder):
    assert folder_of(path) == folder


def test_every_package_of_the_harness_and_every_group_of_plugins_has_tests():
    tested_elsewhere = {"tests/api", "tests/plugins/models"}  # end to end, and with the domains
    sources = [*(ROOT / "harness").glob("*/__init__.py"), *(ROOT / "plugins").glob("*/__init__.py")]
    sources += (ROOT / "plugins").glob("*/*/__init__.py")
    folders = {folder_of(Path(path).relative_to(ROOT).as_posix()) for path in sources}
    missing = {folder for folder in folders if not folders_of([f"{folder}/x"])}
    assert missing <= tested_elsewhere


def test_end_to_end_tests_are_left_out():
    assert folders_of(["tests/end_to_end/test_smoke.py", "harness/cli/run.py"]) == ["tests/cli"]
