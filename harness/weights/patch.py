"""Writes a checkpoint that is another one with some of its values replaced."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from harness.weights.folder import WeightFolder


def write_patched(source: WeightFolder, output: Path, patch: Callable[[str, torch.Tensor], torch.Tensor]) -> None:
    """Copies the model folder `source` to `output`, each tensor passed through `patch(name, tensor)`.

    File by file as in the source, dtypes and shapes kept; `output` exists and is empty, the source is only read.
    """
    weight_names = {path.name for path in source.files}
    for path in sorted(source.folder.iterdir()):
        if path.is_file() and path.name not in weight_names:
            shutil.copy2(path, output / path.name)
    for path in source.files:
        tensors = {}
        for name in source.names_in(path):
            tensor = source.read(name)
            tensors[name] = patch(name, tensor).to(tensor.dtype).contiguous()
        save_file(tensors, output / path.name, metadata={"format": "pt"})
