"""The tensors of a model folder, read one at a time from however many files they lie in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open

from harness.checkpoint import check_checkpoint, weight_files


class WeightFolder:
    """Reads tensors by name. Raises CheckpointError on opening where the folder's weights are not whole."""

    def __init__(self, folder: Path) -> None:
        check_checkpoint(folder)
        self.folder = folder
        self.files = weight_files(folder)
        self._file_of: dict[str, Path] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        for path in self.files:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - safe_open is no mapping
                    self._file_of[name] = path
                    self._shapes[name] = tuple(file.get_slice(name).get_shape())

    def names(self) -> list[str]:
        """Returns all tensor names, sorted: the order that a coordinate's global index counts in."""
        return sorted(self._file_of)

    def names_in(self, path: Path) -> list[str]:
        """Returns the names of the tensors in one weight file."""
        return [name for name, file in self._file_of.items() if file == path]

    def shape(self, name: str) -> tuple[int, ...]:
        """Returns a tensor's shape without reading it."""
        return self._shapes[name]

    def read(self, name: str) -> torch.Tensor:
        """Returns the tensor in its own dtype, on the CPU."""
        with safe_open(self._file_of[name], framework="pt") as file:
            tensor: torch.Tensor = file.get_tensor(name)
            return tensor

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        for name in self.names():
            yield name, self.read(name)
