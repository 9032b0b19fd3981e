"""Memory-mapped fp32 vectors with one element per model parameter. The kernel keeps in memory what fits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

SEGMENT = 1 << 22
"""The chunk size for operations that need a temporary buffer."""


class Vectors:
    """Creates vectors for one model in files of `folder`. They are deleted with the folder."""

    def __init__(self, folder: Path, model: torch.nn.Module) -> None:
        self._folder = folder
        self._places: dict[str, slice] = {}
        self.size = 0
        for name, parameter in model.named_parameters():
            self._places[name] = slice(self.size, self.size + parameter.numel())
            self.size += parameter.numel()

    def zeros(self, name: str) -> torch.Tensor:
        """Returns a vector of zeros. `name` is its file name, which must be unique in the folder."""
        path = self._folder / name
        if path.exists():
            raise FileExistsError(path)
        return torch.from_file(str(path), shared=True, size=self.size, dtype=torch.float32)

    @contextmanager
    def temporary(self, name: str) -> Iterator[torch.Tensor]:
        """Gives a vector of zeros, as `zeros`, whose file is deleted afterwards."""
        vector = self.zeros(name)
        try:
            yield vector
        finally:
            (self._folder / name).unlink()

    def part(self, vector: torch.Tensor, parameter: str) -> torch.Tensor:
        """Returns a flat view of the vector's elements for a parameter."""
        return vector[self._places[parameter]]

    def segments(self) -> Iterator[slice]:
        """Yields slices that cover a vector."""
        for start in range(0, self.size, SEGMENT):
            yield slice(start, start + SEGMENT)


def parts(model: torch.nn.Module, vector: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yields the vector's elements for each parameter of the model, in the parameter's shape."""
    start = 0
    for parameter in model.parameters():
        yield vector[start : start + parameter.numel()].view_as(parameter)
        start += parameter.numel()
