"""Update masks on disk: one bit per weight, set for the weights that may change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from harness._util.files import replacing
from harness.errors import StepFailed
from harness.weights import Selection, Stream, WeightFolder

Bits = npt.NDArray[np.bool_]
_ABOUT = "mask"


def write_mask(
    path: Path,
    model: WeightFolder,
    names: tuple[str, ...],
    selection: Selection,
    about: Mapping[str, Any],
    *,
    frozen: bool = False,
) -> None:
    """Writes the mask of a model to `path`, atomically.

    names: the parameters that the selection covers. frozen: the selected weights are those that must not change; by
    default they are the only ones that may. about: JSON data to store with the mask. Memory: one bit per weight, and a
    byte per weight of the largest parameter.
    """
    packed = dict(_selected(model, names, selection, frozen=frozen))
    if frozen:
        for name in set(model.names()).difference(names):
            packed[name] = np.packbits(np.ones(model.place(name).count, dtype=np.bool_))
    tensors = {name: torch.from_numpy(bits) for name, bits in packed.items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, {_ABOUT: json.dumps(dict(about))})


def _selected(
    model: WeightFolder, names: tuple[str, ...], selection: Selection, *, frozen: bool
) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    bits: Bits = np.empty(0, dtype=np.bool_)
    for chunk in Stream([model], names).chunks:
        count = model.place(chunk.name).count
        if chunk.start == 0:
            bits = np.full(count, frozen, dtype=np.bool_)
        bits[chunk.start + selection.in_chunk(chunk).indices] = not frozen
        if chunk.start + chunk.count == count and bits.any():
            yield chunk.name, np.packbits(bits)


class Mask:
    """The mask in a file. about: the JSON data that was stored with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with safe_open(path, framework="np") as file:
            self.names = frozenset(file.keys())
            self.about: dict[str, Any] = json.loads(file.metadata()[_ABOUT])

    def changeable(self, name: str, shape: torch.Size | tuple[int, ...]) -> torch.Tensor:
        """Returns which weights of a parameter may change: bool, of its shape, on the CPU."""
        if name not in self.names:
            return torch.zeros(tuple(shape), dtype=torch.bool)
        with safe_open(self._path, framework="np") as file:
            bits = np.unpackbits(file.get_tensor(name), count=int(np.prod(shape))).view(np.bool_)
        return torch.from_numpy(bits).view(tuple(shape))


def check_masked(mask: Path, before: WeightFolder, after: WeightFolder, by: str) -> None:
    """Raises StepFailed if a weight outside the mask differs between two checkpoints in a bit of `after`'s dtype.

    by: what trained, for the message.
    """
    read = Mask(mask)
    for name in before.names():
        old, new = before.read(name), after.read(name)
        kept = ~read.changeable(name, old.shape)
        differ = (old.to(new.dtype).view(torch.uint8) != new.view(torch.uint8)).view(*new.shape, -1).any(-1)
        if bool((differ & kept).any()):
            raise StepFailed(
                f"{by} changed {int((differ & kept).sum())} weights of {name} outside the mask",
                where=str(after.folder),
                hint="it ignores TrainingContext.mask; use an algorithm that trains through harness.training",
            )
