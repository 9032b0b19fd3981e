"""Resumable states within a training step. Training only resumes from a state that was written completely."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from harness._util.distributed import rank
from harness._util.files import sync
from harness.training.processes import gathered
from harness.training.rewards import RewardRouter

_MARKER = "COMPLETE.json"


@dataclass(frozen=True, kw_only=True)
class ResumableState:
    """A complete state: its folder, its number of optimizer steps, and the reward record of this rank."""

    folder: Path
    step: int
    rewards: Mapping[str, Any]


class CompleteCheckpoints(TrainerCallback):  # type: ignore[misc]  # transformers is read without types
    """Writes a marker file when a checkpoint of Trainer is complete, because Trainer does not save atomically.

    The marker contains the record of the rewards so far, which is not part of Trainer's state.
    """

    def __init__(self, router: RewardRouter) -> None:
        self.router = router

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        folder = Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        records = gathered(self.router.record.as_json())  # a barrier: all ranks have saved their part
        if rank() > 0:
            return
        for path in folder.iterdir():
            if path.is_file():
                sync(path)
        mark = folder / f"{_MARKER}.tmp"
        mark.write_text(json.dumps(records), encoding="utf-8")
        sync(mark)
        mark.rename(folder / _MARKER)
        sync(folder)


def newest_complete(scratch: Path) -> ResumableState | None:
    """Returns the newest complete state under `scratch`, or None. Deletes incomplete states."""
    states = []
    for folder in scratch.glob(f"{PREFIX_CHECKPOINT_DIR}-*"):
        if (folder / _MARKER).exists():
            rewards = json.loads((folder / _MARKER).read_text(encoding="utf-8"))[rank()]
            step = int(folder.name.rsplit("-", 1)[1])
            states.append(ResumableState(folder=folder, step=step, rewards=rewards))
        else:
            shutil.rmtree(folder)
    return max(states, key=lambda state: state.step, default=None)


def keep_metrics_until(path: Path, step: int) -> None:
    """Truncates the metrics file after optimizer step `step`, because the resumed run repeats later steps."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            break  # the incomplete last line of a killed process
        if row["step"] <= step:
            kept.append(line)
    path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
