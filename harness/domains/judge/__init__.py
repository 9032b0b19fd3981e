"""An LLM as judge, for rewards and lm-eval tasks: an OpenAI-compatible server, a rubric, and a cache of answers.

Importing this package imports no HTTP library.
"""

from harness.domains.judge.answers import parse_score, without_thinking
from harness.domains.judge.client import JudgeClient
from harness.domains.judge.config import JudgeConfig
from harness.domains.judge.reward import JudgeReward

__all__ = ["JudgeClient", "JudgeConfig", "JudgeReward", "parse_score", "without_thinking"]
