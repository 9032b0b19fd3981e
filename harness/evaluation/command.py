"""The `lm-eval` command that reproduces a task's number in the leaderboard."""

from __future__ import annotations

import importlib.util
import json
import shlex
from pathlib import Path

from harness.domains.completions import THINK_END
from harness.errors import UsageError
from harness.evaluation.language_models import model_arguments, model_name
from harness.plugin.interfaces import Domain, TaskSet
from harness.protocol.backends import MODEL, PORT
from harness.protocol.evaluation_settings import EvaluationSettings

SHOWN_PORT = 8000


def lm_eval_commands(domain: Domain, settings: EvaluationSettings, *, model: str = ".") -> list[str]:
    """Returns one shell command per task of the domain, for the model in the folder `model`.

    The path of tasks in a Python package is derived from the package, so that the command works on any machine. With
    the backend `openai`, a comment before the command says how to start the server that it asks. Raises UsageError for
    a task whose settings are overridden, which no command can express.
    """
    tasks = TaskSet.of(domain)
    if tasks.overrides:
        raise UsageError(
            f"the settings of {', '.join(tasks.overrides)} are not those of its file", hint="write a task of your own"
        )
    arguments = model_arguments(settings, model, think_end(tasks, settings))
    if settings.backend == "openai":
        endpoint = "chat/completions" if settings.chat_template else "completions"
        arguments["base_url"] = f"http://127.0.0.1:{SHOWN_PORT}/v1/{endpoint}"
    del arguments["batch_size"]
    words = ["lm-eval", "run", "--model", model_name(settings), "--model_args", json.dumps(arguments)]
    words += ["--seed", str(settings.seed), "--batch_size", str(settings.batch_size)]
    words += ["--limit", str(settings.limit)] if settings.limit is not None else []
    if settings.chat_template:
        words += ["--apply_chat_template"]
        words += ["--system_instruction", tasks.system_prompt] if tasks.system_prompt else []
    words += ["--metadata", json.dumps(dict(tasks.metadata))] if tasks.metadata else []
    command = shlex.join(words)
    if tasks.folder is not None:
        command += f" --include_path {_installed(tasks.folder, type(domain).__module__.partition('.')[0])}"
    if settings.serve:
        server = [word.replace(MODEL, model).replace(PORT, str(SHOWN_PORT)) for word in settings.serve]
        command = f"# the server: {shlex.join(server)}\n{command}"
    names = dict.fromkeys(task.task for task in tasks.tasks)
    return [f"{command} --tasks {shlex.quote(name)}" for name in names]


def think_end(tasks: TaskSet, settings: EvaluationSettings) -> str | None:
    """Returns the mark up to which lm-eval removes the thinking, None if the tasks handle it.

    lm-eval scores the whole text if the mark is missing, including an unfinished thought.
    """
    left_to_tasks = tasks.reads_thinking and settings.think_end == THINK_END
    return None if left_to_tasks else settings.think_end


def _installed(folder: Path, package: str) -> str:
    """Returns the folder as a shell word, relative to the package that contains it, or otherwise its path."""
    spec = importlib.util.find_spec(package)
    for root in (spec.submodule_search_locations or ()) if spec is not None else ():
        if folder.resolve().is_relative_to(Path(root).resolve()):
            place = folder.resolve().relative_to(Path(root).resolve())
            code = f"import {package}; print({package}.__path__[0])"
            return f'"$(python -c {shlex.quote(code)})"/{shlex.quote(str(place))}'
    return shlex.quote(str(folder))
