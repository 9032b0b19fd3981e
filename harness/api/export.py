"""Exports a checkpoint as a Hugging Face folder with a model card."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness._util.disk import comes_of_full, disk_full
from harness._util.files import atomic_directory
from harness.api.checkpoints import model_folder
from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from harness.plugin.registry import Registry
    from harness.results.leaderboard import Leaderboard, Row


def check_new_folder(directory: Path) -> None:
    """Raises UsageError unless `directory` can be created or is an empty folder."""
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise UsageError("this is not a folder", where=str(directory), hint="name a new folder")
    if directory.is_dir() and any(directory.iterdir()):
        raise UsageError(
            "this folder is not empty", where=str(directory), hint="name a new folder; nothing was written"
        )


def export_checkpoint(
    run: Path,
    leaderboard: Leaderboard,
    registry: Registry,
    *,
    method: str,
    directory: Path,
    seed: int | None,
    step: int | None,
) -> None:
    """Copies a checkpoint of the run folder `run` to `directory`, as documented at `Run.export`."""
    from harness.report.model_card import model_card

    check_new_folder(directory)
    row = leaderboard.row(method)
    if row.reference:
        raise UsageError(f"{method!r} is the base model, not a method", hint="name a method, and the base by --step 0")
    seed = row.seeds[0] if seed is None else seed
    step = len(row.trajectory) - 1 if step is None else step
    key = _key(row, seed, step)
    card = model_card(leaderboard, row, seed=seed, step=step, commands=_commands(run, key, registry))
    with model_folder(run, key, registry, base=step == 0) as model:
        _copy(model, directory, card)


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


def _commands(run: Path, key: str, registry: Registry) -> dict[str, list[str]]:
    """Returns the lm-eval commands that score the checkpoint, by domain; domains without their plugin are skipped."""
    from harness.evaluation.command import lm_eval_commands
    from harness.execution.plugin_instances import PluginInstances
    from harness.execution.run_folder import PLAN
    from harness.planning.serialization import read_plan

    if not (run / PLAN).is_file():
        return {}
    plan, plugins = read_plan(run / PLAN), PluginInstances(registry)
    commands: dict[str, list[str]] = {}
    for name, node in plan.scorings(key).items():
        with suppress(HarnessError):
            commands[name] = lm_eval_commands(plugins.domain(plan.scored_by(name)), node.settings)
    return commands


def _copy(source: Path, directory: Path, card: str) -> None:
    """Copies the model folder and writes its card, atomically."""
    try:
        with atomic_directory(directory.absolute()) as temporary:
            shutil.copytree(source, temporary, dirs_exist_ok=True)
            (temporary / "README.md").write_text(card, encoding="utf-8")
    except (OSError, shutil.Error) as error:
        if comes_of_full(error):
            size = sum(path.stat().st_size for path in source.iterdir() if path.is_file())
            raise disk_full(directory, needed=size) from error
        raise UsageError(
            f"the checkpoint cannot be copied: {error}",
            where=str(directory),
            hint="check the permissions of both folders",
        ) from error
