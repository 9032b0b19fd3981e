"""Runs a training step in several processes: accelerate starts one `harness exec-node` per rank.

The process with the node's lock starts the ranks and waits. It stores the result only if all ranks succeed. Only rank 0
writes files. Ranks end with the process that started them, so that a killed run leaves no process that could modify the
states from which the next run resumes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness._util.child_process import run_child
from harness._util.parent_process import end_with
from harness.errors import StepFailed

FOLDER_VARIABLE = "HARNESS_RANK_FOLDER"
SCRATCH_VARIABLE = "HARNESS_RANK_SCRATCH"
PARENT_VARIABLE = "HARNESS_LAUNCHED_BY"
MACHINE_VARIABLE = "HARNESS_MACHINE"
"""On each of several machines that run a training together: its rank, the first machine's address and a free port."""
_LAUNCHER = "harness.execution.accelerate_launch"


def launch(command: Sequence[str], config: Mapping[str, Any], folder: Path, scratch: Path, label: str) -> None:
    """Runs `command`, a `harness exec-node`, in the processes that accelerate's `config` asks for.

    folder: where rank 0 writes the node's files. scratch: the node's scratch folder, also for accelerate's config file.
    Raises the errors of `run_child` if a process fails.
    """
    file = scratch / "accelerate.json"
    # Port 0 selects a free port, so that two launches on a machine do not clash.
    whole = {"main_process_port": 0, **config, **_machine(config, label)}
    file.write_text(json.dumps(whole), encoding="utf-8")
    arguments = ["--config_file", str(file), "--module", "harness", *command[command.index("harness") + 1 :]]
    environment = {
        FOLDER_VARIABLE: str(folder.absolute()),
        SCRATCH_VARIABLE: str(scratch.absolute()),
        PARENT_VARIABLE: str(os.getpid()),
    }
    run_child([sys.executable, "-m", _LAUNCHER, *arguments], label=label, environment=environment)


def is_further_machine() -> bool:
    """Returns whether this machine runs processes of a training whose result another machine stores."""
    return MACHINE_VARIABLE in os.environ and int(os.environ[MACHINE_VARIABLE].split()[0]) > 0


def _machine(config: Mapping[str, Any], label: str) -> dict[str, Any]:
    """Returns the part of accelerate's config that differs between machines."""
    if config.get("num_machines", 1) == 1:
        return {}
    if MACHINE_VARIABLE not in os.environ:
        message = f"runs on {config['num_machines']} machines, and its engine uses one"
        raise StepFailed(message, where=label, hint="use an engine that has several machines, such as ray")
    rank, address, port = os.environ[MACHINE_VARIABLE].split()
    return {"machine_rank": int(rank), "main_process_ip": address, "main_process_port": int(port)}


def rank_folder() -> Path | None:
    """Returns the output folder of the node if this process is a rank of a launched step, otherwise None.

    A rank ends when the process that launched it ends.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        return None
    end_with(os.getppid())
    return Path(folder)


def step_scratch(config: Mapping[str, Any] | None) -> Path | None:
    """Returns the scratch folder in which all ranks of a launched step work; None if this process is no rank.

    config: accelerate's. On several machines it is that of the first one, which is in the store: every rank writes its
    part of a resumable state there, and resumes from it. That is a collective call.
    """
    scratch = rank_scratch()
    if scratch is None or config is None or config.get("num_machines", 1) == 1:
        return scratch
    from harness.training.processes import begun, gathered

    begun()
    return Path(gathered(str(scratch))[0])


def rank_scratch() -> Path | None:
    """Returns the node's scratch folder if this process is a rank of a launched step, otherwise None.

    It belongs to the launching process's hold of the node's lock, which a rank cannot ask for.
    """
    folder = os.environ.get(SCRATCH_VARIABLE)
    return None if folder is None else Path(folder)
