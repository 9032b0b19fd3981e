"""The config of a judge: server, rubric, sampling, retries and cache."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from harness.domains.judge.answers import check_rubric
from harness.errors import Problem
from harness.plugin.config import Config, Unkeyed

RUBRIC = """\
Judge how well an answer serves the request below.

Give 1 where the answer does all that was asked, and does it well.
Give 0.5 where it does it in part, or with plain faults.
Give 0 where it does not do what was asked, is empty, or makes no sense.

<request>
{prompt}
</request>

<answer>
{completion}
</answer>

Weigh it in one or two sentences. Then end with a line of this form, and nothing after it:
Score: 0, 0.5 or 1
"""

_PATIENCE = Unkeyed("how requests are sent; the answers do not depend on it")


class JudgeConfig(Config):
    """A model behind an OpenAI-compatible server, and its instructions."""

    model: str = Field(min_length=1, description="the model's name on the server")
    endpoint: str = Field(
        default="http://localhost:8000/v1",
        pattern=r"^https?://",
        description="the server's base URL; /chat/completions is added",
    )
    api_key_variable: Annotated[str | None, Unkeyed("where the secret is")] = Field(
        default=None, description="the environment variable that holds the API key; null if the server needs none"
    )
    rubric: str = Field(default=RUBRIC, description="the judge's instructions, with {prompt} and {completion}")
    strip_thinking: bool = Field(default=True, description="judge only the text after </think>")
    temperature: float = Field(default=0.0, ge=0, description="of the judge's answers; 0 is greedy")
    max_tokens: int = Field(default=1024, ge=1, description="the maximum length of the judge's answer, in tokens")
    concurrency: Annotated[int, _PATIENCE] = Field(default=16, ge=1, description="concurrent requests")
    timeout_s: Annotated[float, _PATIENCE] = Field(
        default=120.0, gt=0, description="seconds without data from the server after which a request fails"
    )
    attempts: Annotated[int, _PATIENCE] = Field(
        default=6, ge=1, description="requests per question before it counts as failed"
    )
    backoff_s: Annotated[float, _PATIENCE] = Field(
        default=1.0, ge=0, description="seconds to wait after the first failure; doubles with each"
    )
    longest_wait_s: Annotated[float, _PATIENCE] = Field(
        default=120.0,
        ge=0,
        description="the longest wait in seconds; a question fails if the server's Retry-After is longer",
    )
    give_up_after: Annotated[int, _PATIENCE] = Field(
        default=32, ge=1, description="failed questions in a row after which the rest of a batch is skipped"
    )
    cache: Annotated[Path | None, Unkeyed("holds answers to the same questions")] = Field(
        default=Path("~/.cache/mdrl-harness/judge.sqlite"),
        description="an SQLite file for the judge's answers; null for no cache",
    )

    def faults(self) -> Iterable[Problem]:
        """Yields a problem if the environment variable of the API key is not set."""
        if self.api_key_variable is not None and not os.environ.get(self.api_key_variable, "").strip():
            yield Problem(
                key="api_key_variable",
                message=f"the environment variable {self.api_key_variable}, which holds the judge's key, is not set",
                hint=f"export {self.api_key_variable}=…",
            )

    @field_validator("rubric")
    @classmethod
    def _has_both_places(cls, rubric: str) -> str:
        return check_rubric(rubric, "prompt", "completion")
