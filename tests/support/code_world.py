"""Scoring programs by the `code-tests` reward, for the tests of it."""

import shutil

from harness import RewardBatch
from harness.domains.sandbox import Limits, SandboxConfig
from harness_domains.code.config import CodeRewardConfig
from harness_domains.code.problem import Problem
from harness_domains.code.reward import CodeTestsReward

TIER = "bubblewrap" if shutil.which("bwrap") else "subprocess"
SANDBOX = SandboxConfig(tier=TIER, allow_unsafe=True, limits=Limits(seconds=10))


def scored(pairs, **config):
    """Scores (program, source of tests) pairs; a source may be a Problem."""
    reward = CodeTestsReward(CodeRewardConfig(**{"sandbox": SANDBOX, **config}))
    problems = [tests if isinstance(tests, Problem) else Problem(source=tests) for _, tests in pairs]
    completions = [f"```python\n{program}\n```" for program, _ in pairs]
    rows = [{"tests": problem.to_json()} for problem in problems]
    return reward.score(RewardBatch(prompts=[""] * len(pairs), completions=completions, rows=rows))
