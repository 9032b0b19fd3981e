"""A training step in several processes, which accelerate starts: the same `harness exec-node`, as many ranks.

The process that holds the node's lock starts them, waits, and makes a result of what they left only where all of them
ended well: that is their agreement. Rank 0 alone writes. Ranks end with the process that started them, so that a killed
run leaves nobody at work on the states that the next run resumes from.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness._util.child_process import run_child
from harness.execution.parent_process import end_with

FOLDER_VARIABLE = "HARNESS_RANK_FOLDER"
PARENT_VARIABLE = "HARNESS_LAUNCHED_BY"
_LAUNCHER = "harness.execution.accelerate_launch"


def launch(command: Sequence[str], config: Mapping[str, Any], folder: Path, scratch: Path, label: str) -> None:
    """Runs `command`, a `harness exec-node`, in the processes that accelerate's `config` asks for.

    folder: where rank 0 writes the node's files. scratch: for accelerate's config file. Returns where every process
    ended well, raises what `run_child` does where one did not.
    """
    file = scratch / "accelerate.json"
    # Port 0: a free one, so that two launches on a machine do not meet.
    file.write_text(json.dumps({"main_process_port": 0, **config}), encoding="utf-8")
    arguments = ["--config_file", str(file), "--module", "harness", *command[command.index("harness") + 1 :]]
    environment = {FOLDER_VARIABLE: str(folder.absolute()), PARENT_VARIABLE: str(os.getpid())}
    run_child([sys.executable, "-m", _LAUNCHER, *arguments], label=label, environment=environment)


def rank_folder() -> Path | None:
    """Returns where this process's node is written to, where it is one rank of a launched step; None where it is not.

    From then on the process ends when the one that launched it does.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        return None
    end_with(os.getppid())
    return Path(folder)
