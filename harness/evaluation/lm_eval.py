"""Evaluates a checkpoint with lm-eval in the current process, without side effects.

lm-eval seeds every global random generator. Their state is restored afterwards, so that training in the same process
is not affected. The numbers are those of lm-eval: its command line prints the same ones for the exported checkpoint
with the same task, seed, limit and batch size.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.errors import StepFailed
from harness.evaluation.command import think_end
from harness.evaluation.language_models import language_model
from harness.evaluation.own_process import in_own_process
from harness.plugin.interfaces import EvaluationTask, TaskSet
from harness.protocol.evaluation_settings import EvaluationSettings

_IN_OWN_PROCESS = ("vllm", "sglang")
"""Backends that do not free their memory within a process."""


def evaluate_checkpoint(
    folder: Path,
    tasks: TaskSet,
    settings: EvaluationSettings,
    output: Path,
) -> None:
    """Runs lm-eval's `tasks` on the model in `folder`.

    Writes to `output`: `rows.json`, one row per task and metric with lm-eval's value and standard error;
    `lm_eval.json`, lm-eval's results; `samples_<task>.jsonl`, the items with their answers. Raises StepFailed if a task
    is unknown or does not report its metric, CheckpointError if the model cannot be loaded. The model is kept for the
    next call, until `harness.evaluation.language_models.release_models`.
    """
    if settings.backend in _IN_OWN_PROCESS:
        in_own_process(_score, folder, tasks, settings, output)
    else:
        _score(folder, tasks, settings, output)


def _score(folder: Path, tasks: TaskSet, settings: EvaluationSettings, output: Path) -> None:
    with _untouched_generators():
        model = language_model(folder, settings, think_end(tasks, settings))
        write_results(evaluate_model(model, tasks, settings), tasks, output)


def write_results(results: Mapping[str, Any], tasks: TaskSet, output: Path) -> None:
    """Writes the results of `evaluate_model` to the files that `evaluate_checkpoint` names.

    Raises StepFailed if a task does not report its metric.
    """
    rows = [row for task in tasks.tasks for row in measurements(task, results)]
    summary = {name: value for name, value in results.items() if name != "samples"}
    (output / "rows.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (output / "lm_eval.json").write_text(json.dumps(summary, indent=1, default=str) + "\n", encoding="utf-8")
    for task, items in results["samples"].items():
        lines = (json.dumps(item, default=str) + "\n" for item in items)
        (output / f"samples_{task}.jsonl").write_text("".join(lines), encoding="utf-8")


def measurements(task: EvaluationTask, results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns one row for each metric that lm-eval reports for the task. The metric of the score is `primary`.

    Raises StepFailed if lm-eval did not report the primary metric.
    """
    values: Mapping[str, Any] = results["results"].get(task.task, {})
    directions = results.get("higher_is_better", {}).get(task.task, {})
    rows = []
    for key, value in values.items():
        metric, _, name = key.partition(",")
        if not name or metric.endswith("_stderr") or not isinstance(value, (int, float)):
            continue
        primary = (metric, name) == (task.metric, task.filter)
        stderr = values.get(f"{metric}_stderr,{name}")
        rows.append(
            {
                "task": task.task,
                "metric": metric,
                "filter": name,
                "value": float(value),
                "stderr": float(stderr) if isinstance(stderr, (int, float)) else None,
                "n": results["n-samples"][task.task]["effective"],
                "higher_is_better": task.higher_is_better if primary else directions.get(metric, True),
                "percent": task.percent if primary else False,
                "primary": primary,
                "task_hash": results.get("task_hashes", {}).get(task.task, ""),
            }
        )
    if not any(row["primary"] for row in rows):
        found = ", ".join(f"{row['metric']},{row['filter']}" for row in rows) or "none"
        raise StepFailed(
            f"lm-eval reported no metric {task.metric},{task.filter} for the task {task.task}", hint=f"it has {found}"
        )
    return rows


def evaluate_model(model: Any, tasks: TaskSet, settings: EvaluationSettings) -> dict[str, Any]:
    """Returns lm-eval's results for one of its models, with the samples and a digest of the items of each task.

    The global random generators are restored afterwards. Raises StepFailed for a task that lm-eval does not know.
    """
    # `simple_evaluate` is not used: it lists the installed packages in every call, which takes half a second per domain
    # and checkpoint. The setup of seeds and tasks that it does before `evaluate` is repeated here in the same order.
    from lm_eval import evaluate

    manager = _task_manager(tasks)
    results: dict[str, Any] = {}
    # Each task is evaluated separately from the same seed, so its number does not depend on other tasks, and
    # `lm-eval --tasks NAME` prints it.
    with _untouched_generators():
        for name in _known_names(tasks, manager):
            _seed_generators(settings.seed)
            _merge(
                results,
                evaluate(
                    lm=model,
                    task_dict=_loaded_tasks(manager, [name], settings.seed, tasks.overrides),
                    limit=settings.limit,
                    apply_chat_template=bool(settings.chat_template),
                    system_instruction=tasks.system_prompt if settings.chat_template else None,
                ),
            )
    results["task_hashes"] = {task: task_hash(items) for task, items in results["samples"].items()}
    device = str(getattr(model, "device", "of the backend"))
    results["config"] = settings.definition() | {"think_end": think_end(tasks, settings), "device": device}
    results["lm_eval_version"] = version("lm_eval")
    return results


def _merge(results: dict[str, Any], further: Mapping[str, Any]) -> None:
    """Merges the results of one task into `results`."""
    for name, value in further.items():
        if isinstance(value, Mapping):
            results[name] = {**results.get(name, {}), **value}
        else:
            results.setdefault(name, value)


def task_hash(samples: Sequence[Mapping[str, Any]]) -> str:
    """Returns lm-eval's digest of a task's items, prompts and targets, which it only computes when it saves results."""
    from lm_eval.utils import hash_string

    return str(hash_string("".join(item["doc_hash"] + item["prompt_hash"] + item["target_hash"] for item in samples)))


def load_tasks(tasks: TaskSet, seed: int) -> Any:
    """Returns lm-eval's loaded tasks, `["tasks"]` by name, with their items loaded and few-shot sampling seeded.

    Raises StepFailed for a task that lm-eval does not know.
    """
    manager = _task_manager(tasks)
    return _loaded_tasks(manager, _known_names(tasks, manager), seed, tasks.overrides)


def _known_names(tasks: TaskSet, manager: Any) -> list[str]:
    """Returns the names of the tasks without duplicates. Raises StepFailed for a task that lm-eval does not know."""
    names = list(dict.fromkeys(task.task for task in tasks.tasks))
    unknown = sorted(set(names) - set(manager.all_tasks))
    if unknown:
        raise StepFailed(
            f"lm-eval does not know the task {', '.join(unknown)}", where=str(tasks.folder or "lm-eval's own tasks")
        )
    return names


def _loaded_tasks(manager: Any, names: Sequence[str], seed: int, overrides: Mapping[str, Mapping[str, Any]]) -> Any:
    # lm-eval applies overrides to the members of a group only.
    specs = [
        {"group": f"{name} with overrides", "task": [{**overrides[name], "task": name}]} if name in overrides else name
        for name in names
    ]
    loaded = manager.load(specs)
    if overrides:
        loaded = {"tasks": loaded["tasks"], "groups": {}, "group_map": {}}
    for task in loaded["tasks"].values():
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=seed)
    return loaded


def _task_manager(tasks: TaskSet) -> Any:
    from lm_eval.tasks import TaskManager

    metadata = dict(tasks.metadata) or None
    if tasks.folder is None:
        return _default_manager(json.dumps(metadata))
    # Indexing lm-eval's thousands of tasks takes seconds, and their names could clash with those of a domain.
    return TaskManager(include_path=str(tasks.folder), include_defaults=False, metadata=metadata)


@cache
def _default_manager(metadata: str) -> Any:
    """Returns the manager of lm-eval's own tasks, whose index takes seconds. metadata: as JSON."""
    from lm_eval.tasks import TaskManager

    return TaskManager(metadata=json.loads(metadata))


def _seed_generators(seed: int) -> None:
    import numpy
    import torch

    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def _untouched_generators() -> Iterator[None]:
    """Restores the state of every global random generator on exit."""
    import numpy
    import torch

    python_state, numpy_state = random.getstate(), numpy.random.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python_state)
            numpy.random.set_state(numpy_state)
