"""The record of a build, stored next to the weights: measurements and versions."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import torch
import transformers
import trl


def write_record(folder: Path, measured: dict[str, Any]) -> None:
    """Writes `record.json` to `folder`."""
    made_with = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "trl": trl.__version__,
        "threads": torch.get_num_threads(),
    }
    (folder / "record.json").write_text(json.dumps(measured | {"made_with": made_with}, indent=1) + "\n")
