"""Creative writing as the harness sees it."""

from __future__ import annotations

from pathlib import Path

from harness.domains import OpenEndedDomain


class CreativeWriting(OpenEndedDomain):
    """Requests for stories, scenes and poems."""

    task = "creative_writing"
    folder = Path(__file__).parent / "lm_eval_tasks"
