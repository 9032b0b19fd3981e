"""The scores of a checkpoint as files in `.eval_results/`, which the hub shows on the page of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.results.leaderboard import Leaderboard, Row

FOLDER = ".eval_results"


@dataclass(frozen=True, kw_only=True)
class HubDataset:
    """The data set of the hub with the items of a task: its name, its configuration, and its revision if pinned."""

    name: str
    config: str = "default"
    revision: str | None = None


def eval_result_files(
    leaderboard: Leaderboard, row: Row, *, seed: int, step: int, datasets: Mapping[str, HubDataset]
) -> dict[str, str]:
    """Returns the files by path, one per column.

    datasets: by column. The hub knows results by data set, so columns whose items are not on the hub have no file; the
    model index of the card has them all.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    from huggingface_hub.utils import yaml_dump  # type: ignore[attr-defined]

    found = {}
    for column, dataset in datasets.items():
        value = row.of_seed(column, seed=seed, step=step)
        if value is None:
            continue
        measured = leaderboard.measurement[column]
        task = measured.tasks[0]
        entry = EvalResultEntry(
            dataset_id=dataset.name,
            task_id=dataset.config,
            value=round(value, 6),
            dataset_revision=dataset.revision,
            notes=f"lm-eval {task.task}, {task.metric},{task.filter}; {row.trajectory[step].scores[column].n} items"
            f"{', in percent' if measured.percent else ''}; seed {measured.seed}, batch size {measured.batch_size}",
        )
        found[f"{FOLDER}/{column}.yaml"] = yaml_dump(eval_result_entries_to_yaml([entry]), sort_keys=False)
    return found
