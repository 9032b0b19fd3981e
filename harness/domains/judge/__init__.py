"""An LLM as judge, for rewards and for lm-eval tasks: a rubric, an OpenAI-compatible server, answers kept on disk.

Importing this opens no connection and imports no HTTP library; the first question does.
"""

from harness.domains.judge.answers import parse_score, without_thinking
from harness.domains.judge.client import JudgeClient
from harness.domains.judge.config import JudgeConfig
from harness.domains.judge.reward import JudgeReward

__all__ = ["JudgeClient", "JudgeConfig", "JudgeReward", "parse_score", "without_thinking"]
