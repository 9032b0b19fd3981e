"""The lab's base model: the folder that is included in the plugin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import BaseModel, CheckpointError, NoConfig

FOLDER = Path(__file__).parent / "models" / "base"


class LabModel(BaseModel):
    """The included base model, 0.79 million parameters in fp32."""

    def __init__(self, config: NoConfig) -> None:
        self._weights = FOLDER / "model.safetensors"

    def fingerprint(self) -> str:
        return hashlib.sha256(self._present().read_bytes()).hexdigest()

    def folder(self) -> Path:
        self._present()
        return FOLDER

    def config_json(self) -> Mapping[str, Any]:
        values: dict[str, Any] = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
        return values

    def _present(self) -> Path:
        if not self._weights.is_file():
            raise CheckpointError(
                "the lab's base model is not there",
                where=str(self._weights),
                hint="install the package again, or build the model: python -m harness_lab.build base",
            )
        return self._weights
