"""The packaged protocol of the Local Perturbation Theory paper with small data in the data sets' own columns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import harness_papers
from harness import UsageError
from harness.domains.sandbox import SandboxConfig, open_sandbox

FIXTURES = Path(__file__).parents[1] / "fixtures"
PACKAGED = Path(harness_papers.__file__).parent / "code-math-qa-cw.yaml"
TOKENS = 12
DOMAINS = ["code", "math", "qa", "cw"]
OFFLINE = {"HARNESS_OFFLINE", "HF_HUB_OFFLINE"}  # under which a judge is refused


def skip_without_sandbox() -> None:
    """Skips the test where no sandbox can run the code domain's programs."""
    try:
        open_sandbox(SandboxConfig()).close()
    except UsageError as error:
        pytest.skip(error.message)


def harness_json(*arguments: object) -> Any:
    """Returns what `harness` prints with `--json`. It may ask a judge on this machine."""
    environment = {name: value for name, value in os.environ.items() if name not in OFFLINE}
    environment |= {"NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "harness", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def changes(folder: Path, endpoint: str) -> dict[str, Any]:
    """Returns what is other than in the packaged file, by the path of its key."""
    judge = {"endpoint": endpoint, "cache": str(folder / "answers.sqlite"), "attempts": 1}
    lengths = {f"domains.{name}.completion_tokens": TOKENS for name in DOMAINS}
    return lengths | {
        "model.pretrained": str(folder / "model"),
        "domains.code.data_files": str(FIXTURES / "code" / "klear_train.jsonl"),
        "domains.code.humaneval": {"data_files": str(FIXTURES / "code" / "humaneval_test.jsonl")},
        "domains.code.mbpp": {"data_files": str(FIXTURES / "code" / "mbpp_test.jsonl")},
        "domains.math.data_files": str(FIXTURES / "math" / "openr1_math_train.jsonl"),
        "domains.math.test_sets": {"aime25": {"data_files": str(FIXTURES / "math" / "aime25_test.jsonl")}},
        "domains.math.repeats.aime25": 2,
        "domains.qa.data_files": str(FIXTURES / "qa" / "super_gpqa.jsonl"),
        "domains.qa.mmlu_pro.data_files": str(FIXTURES / "qa" / "mmlu_pro.parquet"),
        "domains.qa.mmlu_pro.completion_tokens": TOKENS,
        "domains.cw.data_files": str(FIXTURES / "open_ended" / "creative_writing.jsonl"),
        "domains.cw.test_items": 4,
        **{f"domains.cw.judge.{key}": value for key, value in judge.items()},
        **{f"domains.cw.reward.{key}": value for key, value in judge.items()},
        "train.steps": 2,
        "train.prompts_per_step": 4,
        "evaluate.limit": 4,
        "methods.re-math.4.steps": 2,
        "methods.re-code.4.steps": 2,
        "methods.re-qa.4.steps": 2,
        "methods.rollback.3.completions": 8,
        "methods.random-rollback.3.completions": 8,
        "methods.mixed.0.steps": 2,
    }


def put(protocol: Any, path: str, value: Any) -> None:
    """Sets the value of a nested key such as `methods.mixed.0.steps`."""
    *parents, last = [int(name) if name.isdigit() else name for name in path.split(".")]
    for name in parents:
        protocol = protocol[name]
    protocol[last] = value
