"""Exports a checkpoint as a Hugging Face folder with a model card, or pushes it to the hub."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness._util.disk import comes_of_full, disk_full
from harness._util.files import atomic_directory
from harness.api.checkpoints import model_folder
from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from harness.plugin.registry import Registry
    from harness.report.eval_results import HubDataset
    from harness.results.leaderboard import Leaderboard, Row

_OF_THE_MODEL = (".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json")


def check_new_folder(directory: Path) -> None:
    """Raises UsageError unless `directory` can be created or is an empty folder."""
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise UsageError("this is not a folder", where=str(directory), hint="name a new folder")
    if directory.is_dir() and any(directory.iterdir()):
        raise UsageError(
            "this folder is not empty", where=str(directory), hint="name a new folder; nothing was written"
        )


@dataclass(frozen=True, kw_only=True)
class Export:
    """A checkpoint: its model folder, and the texts by path that go with it."""

    title: str
    model: Path
    texts: Mapping[str, str]


@contextmanager
def exported(
    run: Path, leaderboard: Leaderboard, registry: Registry, *, method: str, seed: int | None, step: int | None
) -> Iterator[Export]:
    """Yields a checkpoint of the run folder `run` with its card and results, as documented at `Run.export`."""
    from harness.report.eval_results import eval_result_files
    from harness.report.model_card import model_card

    row = leaderboard.row(method)
    if row.reference:
        raise UsageError(f"{method!r} is the base model, not a method", hint="name a method, and the base by --step 0")
    seed = row.seeds[0] if seed is None else seed
    step = len(row.trajectory) - 1 if step is None else step
    key = _key(row, seed, step)
    commands, datasets = _evaluations(run, key, registry)
    card = model_card(leaderboard, row, seed=seed, step=step, commands=commands)
    texts = eval_result_files(leaderboard, row, seed=seed, step=step, datasets=datasets) | {"README.md": card}
    with model_folder(run, key, registry, base=step == 0) as model:
        yield Export(title=f"{leaderboard.protocol}: {method}, seed {seed}, step {step}", model=model, texts=texts)


def copy_export(export: Export, directory: Path) -> None:
    """Copies the model folder and writes the texts, atomically. Raises UsageError if `directory` is in use, DiskFull if
    the disk is full."""
    check_new_folder(directory)
    try:
        with atomic_directory(directory.absolute()) as temporary:
            shutil.copytree(export.model, temporary, dirs_exist_ok=True)
            for name, text in export.texts.items():
                (temporary / name).parent.mkdir(exist_ok=True)
                (temporary / name).write_text(text, encoding="utf-8")
    except (OSError, shutil.Error) as error:
        if comes_of_full(error):
            size = sum(path.stat().st_size for path in export.model.iterdir() if path.is_file())
            raise disk_full(directory, needed=size) from error
        raise UsageError(
            f"the checkpoint cannot be copied: {error}",
            where=str(directory),
            hint="check the permissions of both folders",
        ) from error


def push_export(export: Export, repository: str, *, private: bool) -> str:
    """Pushes the model folder and the texts to the hub, as documented at `Run.push`."""
    from harness.api.hub_upload import push_files, repository_of

    found: dict[str, Path | bytes] = {
        path.relative_to(export.model).as_posix(): path for path in sorted(export.model.rglob("*")) if path.is_file()
    }
    found |= {name: text.encode() for name, text in export.texts.items()}
    return push_files(
        repository_of(repository, "model"),
        lambda present: found,
        message=export.title,
        private=private,
        replaced=lambda path: path.endswith(_OF_THE_MODEL) or path.startswith(".eval_results/"),
    )


def _key(row: Row, seed: int, step: int) -> str:
    """Returns the key of the checkpoint. Raises UsageError if there is no such seed or step."""
    if seed not in row.seeds:
        raise UsageError(
            f"{row.method!r} has no seed {seed}", where="--seed", hint=f"it has {', '.join(map(str, row.seeds))}"
        )
    if not 0 <= step < len(row.trajectory):
        steps = ", ".join(f"{one.step} ({one.label})" for one in row.trajectory)
        raise UsageError(f"{row.method!r} has no step {step}", where="--step", hint=f"it has {steps}")
    keys = row.trajectory[step].checkpoints
    return keys[0] if len(keys) == 1 else keys[row.seeds.index(seed)]


def _evaluations(run: Path, key: str, registry: Registry) -> tuple[dict[str, list[str]], dict[str, HubDataset]]:
    """Returns, by domain, the lm-eval commands that score the checkpoint and the data set of the hub with the items.

    Domains without their plugin have no commands, those with other data no data set.
    """
    from harness.evaluation.command import lm_eval_commands
    from harness.execution.plugin_instances import PluginInstances
    from harness.execution.run_folder import PLAN
    from harness.execution.store import Store
    from harness.planning.serialization import read_plan

    if not (run / PLAN).is_file():
        return {}, {}
    plan, plugins, store = read_plan(run / PLAN), PluginInstances(registry), Store(run.resolve().parent / "store")
    commands: dict[str, list[str]] = {}
    datasets: dict[str, HubDataset] = {}
    for name, node in plan.scorings(key).items():
        with suppress(HarnessError):
            commands[name] = lm_eval_commands(plugins.domain(plan.scored_by(name)), node.settings)
        with suppress(HarnessError):
            found = _dataset(store.read_json(node.key, "lm_eval.json"))
            if found is not None:
                datasets[name] = found
    return commands, datasets


def _dataset(results: Any) -> HubDataset | None:
    """Returns the data set of an evaluation from lm-eval's results. None if it has several tasks, or local items."""
    from harness.report.eval_results import HubDataset

    configs = list(results.get("configs", {}).values())
    if len(configs) != 1:
        return None
    name, arguments = configs[0].get("dataset_path"), configs[0].get("dataset_kwargs") or {}
    if not isinstance(name, str) or name.count("/") != 1 or "data_files" in arguments or Path(name).exists():
        return None
    config = configs[0].get("dataset_name")
    return HubDataset(name=name, config=str(config or "default"), revision=arguments.get("revision"))
