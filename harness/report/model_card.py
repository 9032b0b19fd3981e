"""The model card of an exported checkpoint: its method, its steps, and its scores as evaluation results."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from harness.report.tables.layout import decimals, number
from harness.report.tables.markdown import escape
from harness.results.estimates import Estimate
from harness.results.leaderboard import Leaderboard, Row


def model_card(
    leaderboard: Leaderboard, row: Row, *, seed: int, step: int, commands: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Returns a README.md with a model index for the checkpoint after `step` of the row's method with `seed`.

    Evaluation results are the scores of this checkpoint, not means over seeds. commands: for each column, the lm-eval
    commands that reproduce the numbers of its tasks.
    """
    from huggingface_hub import EvalResult, ModelCardData

    chosen = row.trajectory[step]
    scores = {
        column: value
        for column in leaderboard.columns
        if (value := row.of_seed(column, seed=seed, step=step)) is not None
    }
    name = f"{leaderboard.protocol}-{row.method}-seed{seed}-step{step}"
    data = ModelCardData(
        model_name=name,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["reinforcement-learning", "multi-domain-rl", "mdrl-harness"],
        base_model=leaderboard.model if leaderboard.model.count("/") == 1 else None,
        eval_results=[
            EvalResult(
                task_type="text-generation",
                task_name=column,
                dataset_type=task.task,
                dataset_name=column,
                dataset_config=column,  # results are grouped by data set; keeps two columns of one task apart
                metric_type=task.metric,
                metric_name=f"{task.metric},{task.filter}" if len(tasks) == 1 else f"mean of {len(tasks)} tasks",
                metric_value=round(value, 6),
            )
            for column, value in scores.items()
            for tasks in [leaderboard.measurement[column].tasks]
            for task in tasks[:1]
        ]
        or None,
    )
    lines = [f"- {one.step}: {escape(one.label)}" for one in row.trajectory[: step + 1]]
    table = [
        "| domain | score | lm-eval tasks | items | batch size |",
        "| :-- | --: | :-- | --: | --: |",
        *(_table_row(leaderboard, column, value, chosen.scores[column]) for column, value in scores.items()),
    ]
    return "\n".join(
        [
            f"---\n{data.to_yaml()}\n---",
            f"# {escape(name)}",
            "",
            f"Method {escape(row.method)} of the protocol {escape(leaderboard.protocol)}.",
            f"Seed {seed}, after step {step}.",
            f"Trained with mdrl-harness from the base model {escape(leaderboard.model)}.",
            "",
            "## Steps",
            "",
            *lines,
            "",
            "## Scores",
            "",
            *table,
            "",
            *_run_lines(leaderboard),
            *_command_lines({column: commands[column] for column in scores if commands and column in commands}),
        ]
    )


def _run_lines(leaderboard: Leaderboard) -> list[str]:
    """Returns the commands that computed the run, with the version of the harness."""
    invocations = leaderboard.provenance.get("invocations", [])
    commands = [shlex.join(map(str, one["command"])) for one in invocations if one.get("command")]
    shown = [line for line in dict.fromkeys(commands) if "\n" not in line and "```" not in line]
    if not shown:
        return []
    version = leaderboard.provenance.get("packages", {}).get("mdrl-harness")
    with_version = f" {escape(str(version))}" if version else ""
    return ["## Repeat the run", "", f"With mdrl-harness{with_version}:", "", "```sh", *shown, "```", ""]


def _command_lines(commands: Mapping[str, Sequence[str]]) -> list[str]:
    if not commands:
        return []
    lines = [f"# {column}\n{command}" for column, each in commands.items() for command in each]
    how = "To reproduce the number of each task, run lm-eval in this folder with the same versions installed:"
    return ["## Reproduce the scores", "", how, "", "```sh", *lines, "```", ""]


def _table_row(leaderboard: Leaderboard, column: str, value: float, score: Estimate) -> str:
    measured = leaderboard.measurement[column]
    tasks = ", ".join(escape(f"{task.task} ({task.metric}, {task.filter})") for task in measured.tasks)
    shown = number(value, decimals(leaderboard, column) + 1)
    return f"| {escape(column)} | {shown} | {tasks} | {score.n} | {measured.batch_size} |"
