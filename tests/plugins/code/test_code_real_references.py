"""Reference solutions of MBPP and HumanEval whose tests once had no verdict, with the real files if available."""

import gzip
import json
import os
import shutil
from pathlib import Path

import pytest

from harness.domains.sandbox import Limits, SandboxConfig, open_sandbox
from harness_domains.code.judge import judge
from harness_domains.code.problems import humaneval, mbpp

DATA = Path(os.environ.get("HARNESS_TEST_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
TIER = "bubblewrap" if shutil.which("bwrap") else "subprocess"
HUMANEVAL = {"HumanEval/32", "HumanEval/38", "HumanEval/44", "HumanEval/50", "HumanEval/53", "HumanEval/129"}
"""Loops, random arguments, a helper that the prompt defines, a bare name before the assertions."""
MBPP = {126, 590, 737, 787, 794}
"""A function named as a builtin, complex numbers, matches of regular expressions as truth values."""


def references():
    """Returns name, program, problem and entry points of each."""
    with gzip.open(DATA / "humaneval" / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["task_id"] in HUMANEVAL]
    found = [(row["prompt"] + row["canonical_solution"], humaneval(row).problem, row["entry_point"]) for row in rows]
    for row in json.loads((DATA / "mbpp" / "sanitized-mbpp.json").read_text(encoding="utf-8")):
        if row["task_id"] in MBPP:
            found.append((row["code"], mbpp(row).problem, row["test_list"][0].split("(")[0].removeprefix("assert ")))
    return found


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not there; HARNESS_TEST_DATA names another folder")
def test_references_pass_and_constant_functions_fail():
    config = SandboxConfig(tier=TIER, allow_unsafe=True, limits=Limits(seconds=20))
    found = references()
    assert len(found) == len(HUMANEVAL) + len(MBPP)
    constant = [(f"{program}\ndef {name}(*given): return None", problem) for program, problem, name in found]
    with open_sandbox(config) as sandbox:
        right = judge([pair[:2] for pair in found], sandbox, max_tests=1000, all_or_nothing=True)
        wrong = judge(constant, sandbox, max_tests=1000, all_or_nothing=True)
    assert [judgement.share for judgement in right] == [1.0] * len(found), right
    assert not any(judgement.unsupported for judgement in right)
    assert all(judgement.tests and judgement.share < 1 for judgement in wrong), wrong
