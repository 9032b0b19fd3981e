"""What a judge is asked, where, and how patiently."""

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

_PATIENCE = Unkeyed("how the server is asked; its answers do not depend on it")


class JudgeConfig(Config):
    """A model behind an OpenAI-compatible server, and the rubric it judges by."""

    model: str = Field(min_length=1, description="the judge's name, as its server knows it")
    endpoint: str = Field(
        default="http://localhost:8000/v1",
        pattern=r"^https?://",
        description="the server's base URL; /chat/completions is added",
    )
    api_key_variable: Annotated[str | None, Unkeyed("where the secret is")] = Field(
        default=None, description="the environment variable that holds the server's key; None for a server without"
    )
    rubric: str = Field(default=RUBRIC, description="what the judge is asked, with {prompt} and {completion} in it")
    strip_thinking: bool = Field(default=True, description="judge only what comes after </think>")
    temperature: float = Field(default=0.0, ge=0, description="of the judge's answers; 0 takes the likeliest token")
    max_tokens: int = Field(default=1024, ge=1, description="the longest answer of the judge, in tokens")
    concurrency: Annotated[int, _PATIENCE] = Field(default=16, ge=1, description="questions under way at once")
    timeout_s: Annotated[float, _PATIENCE] = Field(
        default=120.0, gt=0, description="seconds that the server may be silent for"
    )
    attempts: Annotated[int, _PATIENCE] = Field(
        default=6, ge=1, description="how often a question is put before it is given up"
    )
    backoff_s: Annotated[float, _PATIENCE] = Field(
        default=1.0, ge=0, description="seconds to wait after a first failure; doubles"
    )
    longest_wait_s: Annotated[float, _PATIENCE] = Field(
        default=120.0, ge=0, description="a longer Retry-After gives the question up"
    )
    give_up_after: Annotated[int, _PATIENCE] = Field(
        default=32, ge=1, description="questions given up in a row after which the rest of a batch is not put"
    )
    cache: Annotated[Path | None, Unkeyed("answers of the same question, kept")] = Field(
        default=Path("~/.cache/mdrl-harness/judge.sqlite"), description="where answers are kept; None keeps none"
    )

    def faults(self) -> Iterable[Problem]:
        """Yields that the key's environment variable is not set."""
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
