"""Chat as the harness sees it."""

from __future__ import annotations

from pathlib import Path

from harness.domains import OpenEndedDomain


class Chat(OpenEndedDomain):
    """Requests to an assistant; a row of several turns ends with the user's."""

    task = "chat"
    folder = Path(__file__).parent / "lm_eval_tasks"
