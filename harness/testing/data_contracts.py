"""Contract checks of models, domains, rewards and packaged protocols."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.domains.scoring import score_rewards
from harness.errors import CheckpointError
from harness.plugin.interfaces import BaseModel, Domain, EvaluationTask, Reward, RewardBatch, RewardResult
from harness.testing.requirement import require

if TYPE_CHECKING:
    from harness.plugin.registry import Registry

ODD_COMPLETIONS = ("", " ", "0", "a dog sat.", "1" * 400, "\x00", "Ünïcödé ☃", "(" * 60, "2**9**9")
SAME = 1e-4
"""Tolerance for two scores of the same completion, because rounding depends on the batch."""


def check_model(model: BaseModel) -> None:
    """Checks a base model: a stable fingerprint, and a complete folder with a tokenizer. May download the model.

    Raises PluginError for a violation, CheckpointError if the folder is not available.
    """
    from harness.weights.model_folder import check_checkpoint

    _check_fingerprint(model.fingerprint, "model")
    folder = model.folder()
    require(isinstance(folder, Path), f"folder() returned {folder!r}", "return a pathlib.Path")
    check_checkpoint(folder)
    if not (folder / "tokenizer_config.json").is_file():
        raise CheckpointError("the model folder has no tokenizer", where=str(folder), hint="save its tokenizer there")


def check_domain(domain: Domain, *, seed: int = 0, trains: bool = True) -> None:
    """Checks a domain: a stable fingerprint, training rows determined by the seed, tasks that lm-eval finds and that
    have the domain's metric, and no prompt that is in both training rows and test items.

    trains: whether the domain has training data, as its spec says. Raises PluginError for a violation.
    """
    _check_fingerprint(domain.fingerprint, "domain")
    tokens = domain.completion_tokens
    require(tokens is None or tokens > 0, f"completion_tokens is {tokens!r}", "give a positive number, or None")
    rows = _checked_rows(domain, seed) if trains else []
    tasks = list(domain.evaluation_tasks())
    require(bool(tasks), "evaluation_tasks() is empty", "name at least one lm-eval task")
    for task in tasks:
        require(isinstance(task, EvaluationTask), f"evaluation_tasks() has {task!r}", "return harness.EvaluationTask")
    folder = domain.task_folder()
    if folder is not None:
        require(Path(folder).is_dir(), f"task_folder() is {folder}, which is not a folder", "is it packaged?")
        metadata = domain.task_metadata()
        _check_tasks(tasks, Path(folder), metadata, {row["prompt"] for row in rows if isinstance(row["prompt"], str)})


def _checked_rows(domain: Domain, seed: int) -> list[dict[str, Any]]:
    rows = training_rows(domain, seed)
    messages = any(isinstance(row["prompt"], list) for row in rows)
    require(
        messages == domain.chat or (domain.chat is None and not messages),
        f"chat is {domain.chat}, but the training prompts are {'chat messages' if messages else 'plain text'}",
        "set chat to True if the prompts are chat messages, so that test items are scored with the chat template",
    )
    require(rows == training_rows(domain, seed), f"training_data({seed}) differs between two calls", "draw by the seed")
    return rows


def training_rows(domain: Domain, seed: int) -> list[dict[str, Any]]:
    """Returns the training rows of a domain. Raises PluginError for a missing or invalid `prompt`."""
    rows: list[dict[str, Any]] = domain.training_data(seed).to_list()
    require(bool(rows), f"training_data({seed}) is empty")
    for row in rows:
        prompt = row.get("prompt")
        chat = isinstance(prompt, list) and all({"role", "content"} <= set(message) for message in prompt)
        require(isinstance(prompt, str) or chat, f"a prompt is {prompt!r:.80}", "give a string or a list of messages")
    return rows


def check_reward(reward: Reward, rows: Sequence[Mapping[str, Any]]) -> None:
    """Checks a reward on training rows of a domain, with unusual completions: one valid result per row, the same in a
    second call and in another order, and no exceptions.

    Raises PluginError for a violation.
    """
    require(bool(rows), "there are no rows to score", "give some rows of a domain's training data")
    chosen = [rows[index % len(rows)] for index in range(len(ODD_COMPLETIONS))]
    _check_unjudgeable(reward, rows)
    results = _scored(reward, chosen, ODD_COMPLETIONS)
    repeated = _scored(reward, chosen, ODD_COMPLETIONS)
    reversed_ = _scored(reward, chosen[::-1], ODD_COMPLETIONS[::-1])[::-1]
    for completion, first, second, third in zip(ODD_COMPLETIONS, results, repeated, reversed_, strict=True):
        require(_alike(first, second), f"two calls score {completion!r:.40} differently: {first} and {second}")
        require(
            _alike(first, third),
            f"{completion!r:.40} scores {first}, and {third} in another order of the batch",
            "results must be in the order of the rows and independent of other rows",
        )


def _check_unjudgeable(reward: Reward, rows: Sequence[Mapping[str, Any]]) -> None:
    prompts = [row.get("prompt") for row in rows]
    reasons, again = list(reward.unjudgeable(prompts, rows)), list(reward.unjudgeable(prompts, rows))
    require(reasons == again, "two calls of unjudgeable differ", "it may depend only on the prompt and the row")
    require(
        len(reasons) == len(rows) and all(reason is None or isinstance(reason, str) for reason in reasons),
        f"unjudgeable returned {reasons!r:.80} for {len(rows)} rows",
        "return a reason, or None, for each row in order",
    )


def check_protocol(path: Path, registry: Registry) -> None:
    """Checks a packaged protocol with the plugins of `registry`. Raises ProtocolError with all problems."""
    from harness.protocol import load_protocol

    load_protocol(path, registry)


def _check_fingerprint(fingerprint: Any, what: str) -> None:
    first, second = fingerprint(), fingerprint()
    require(isinstance(first, str) and bool(first), f"the {what}'s fingerprint is {first!r}", "return a string")
    require(first == second, f"the {what}'s fingerprint changes: {first!r}, then {second!r}", "use only the data")


def _check_tasks(tasks: Sequence[EvaluationTask], folder: Path, metadata: Mapping[str, Any], prompts: set[str]) -> None:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(folder), include_defaults=False, metadata=dict(metadata) or None)
    for wanted in tasks:
        require(wanted.task in manager.all_tasks, f"lm-eval finds no task {wanted.task!r} in {folder}")
        task = manager.load([wanted.task])["tasks"][wanted.task]
        metrics = task.higher_is_better()
        require(wanted.metric in metrics, f"{wanted.task} has no metric {wanted.metric!r}, but {', '.join(metrics)}")
        require(
            metrics[wanted.metric] == wanted.higher_is_better,
            f"{wanted.task}: EvaluationTask and YAML disagree whether a higher {wanted.metric} is better",
        )
        docs = list(task.test_docs() if task.has_test_docs() else task.validation_docs())
        require(bool(docs), f"{wanted.task} has no items")
        leaked = [text for text in map(task.doc_to_text, docs) if text in prompts]
        require(
            not leaked,
            f"{len(leaked)} of the {len(docs)} items of {wanted.task} are training prompts, such as {leaked[:1]}",
            "use disjoint sets for training and test",
        )


def _scored(reward: Reward, rows: Sequence[Mapping[str, Any]], completions: Sequence[str]) -> list[RewardResult]:
    batch = RewardBatch(prompts=[row["prompt"] for row in rows], completions=list(completions), rows=list(rows))
    results = score_rewards(reward, batch, label=f"reward {type(reward).__name__}")
    for result in results:
        require(
            result.outcome == "ok" or bool(result.detail),
            f"a result with the outcome {result.outcome} has no detail",
            "give the reason",
        )
    return results


def _alike(first: RewardResult, second: RewardResult) -> bool:
    if first.outcome != second.outcome:
        return False
    if first.value is None or second.value is None:
        return first.value is second.value
    return math.isclose(first.value, second.value, rel_tol=SAME, abs_tol=SAME)
