"""Checks before a run whether the server of the backend `openai` starts, and gives what the tasks ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.errors import Problem
from harness.evaluation.lm_eval import load_tasks
from harness.evaluation.server import OwnServer, check_serves, gives_log_likelihoods, root_of
from harness.plugin.interfaces import TaskSet
from harness.protocol.evaluation_settings import EvaluationSettings

GENERATES = "generate_until"
"""lm-eval's type of tasks that read answers. All others read log-likelihoods."""


def server_faults(scored: Mapping[str, tuple[TaskSet, EvaluationSettings]], base: Path | None) -> Iterator[Problem]:
    """Yields what a server cannot do for the tasks. scored: by domain. base: the base model, None if not available.

    Starts a server for the base model, or asks the one at `base_url`. Raises UsageError or StepFailed if it does not
    serve the base model.
    """
    asked = {
        (settings.chat_template, name)
        for tasks, settings in scored.values()
        for name, task in load_tasks(tasks, settings.seed)["tasks"].items()
        if task.OUTPUT_TYPE != GENERATES
    }
    yield from (_fault(name, "for chat messages") for chat, name in sorted(asked) if chat)
    plain = [name for chat, name in sorted(asked) if not chat]
    if base is None or not scored:
        return
    settings = next(iter(scored.values()))[1]
    if not settings.serve:
        root = root_of(settings.args["base_url"])
        check_serves(root, base)
        able = not plain or gives_log_likelihoods(root, base)
    else:
        server = OwnServer(settings.serve, base)
        try:
            able = not plain or gives_log_likelihoods(server.root, base)
        finally:
            server.stop()
    if not able:
        yield from (_fault(name, f"with {server_name(settings)}") for name in plain)


def server_name(settings: EvaluationSettings) -> str:
    """Returns a short name of the server for messages."""
    return f"`{' '.join(settings.serve[:2])}`" if settings.serve else f"the server at {settings.args['base_url']}"


def _fault(task: str, where: str) -> Problem:
    return Problem(
        message=f"the task {task} needs log-likelihoods, which the backend openai does not give {where}",
        hint="score it with the backend hf, vllm or sglang",
    )
