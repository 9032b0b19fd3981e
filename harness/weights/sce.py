"""SCE: selects the weights in which experts differ most, weights experts by their change, and erases minority signs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from harness.weights.histogram import threshold_of_count
from harness.weights.merging import DeltaFormula, DeltaMethod
from harness.weights.stream import Chunk, Stream


@dataclass(frozen=True, kw_only=True)
class SelectCalculateErase(DeltaMethod):
    """θ₀ + Σᵢ cᵢ·τᵢ / Σᵢ cᵢ over the experts whose τᵢ has the sign of Σ τᵢ: FuseChat (arXiv 2408.07990).

    Select: of each tensor, only the ⌊density · n⌋ weights whose deltas differ most between the experts, by their
    variance, are merged; n is the number of weights with a variance above 0. Calculate: cᵢ = wᵢ · the mean of τᵢ² over
    the tensor, after the selection; if all are 0, wᵢ. These are the results of mergekit 0.1.5 for wᵢ = 1, except that
    it takes a sum of means below 1e-6 for 0. Of equal variances the lower flat index is selected. Reads the tensor up
    to six times.
    """

    density: float = 1.0

    def start(self, stream: Stream, chunks: Sequence[Chunk], weights: torch.Tensor) -> DeltaFormula:
        deltas = _Deltas(stream, chunks)
        selected = _Selection.none() if self.density >= 1 else _Selection.of(deltas, self.density)
        squares = torch.zeros(len(stream.folders) - 1, dtype=torch.float64)
        choose = selected.again()
        for values in deltas:
            choose.apply(values)
            squares += values.double().square_().sum(dim=1)
        total = float(squares.sum())
        own = squares / total if total else torch.full_like(squares, 1 / len(squares))
        coefficients = own.float().unsqueeze(1) * weights
        choose = selected.again()

        def combine(values: torch.Tensor) -> torch.Tensor:
            choose.apply(values)
            sign = torch.where(values.sum(dim=0) >= 0, 1.0, -1.0)
            counted = coefficients * (values.sign() == sign)
            divisor = counted.sum(dim=0)
            divisor[divisor == 0] = 1.0
            return values.mul_(counted).sum(dim=0).div_(divisor)

        return combine


class _Deltas:
    """The deltas of a tensor's chunks in order, [experts, n]; may be read again."""

    def __init__(self, stream: Stream, chunks: Sequence[Chunk]) -> None:
        self._stream, self._chunks = stream, chunks

    def __iter__(self) -> Iterator[torch.Tensor]:
        for chunk in self._chunks:
            before, *after = self._stream.read(chunk)
            yield torch.stack(after).sub_(before)

    def variances(self) -> Iterator[torch.Tensor]:
        return (_variance(deltas) for deltas in self)


def _variance(deltas: torch.Tensor) -> torch.Tensor:
    return torch.var(deltas, dim=0, unbiased=False)


@dataclass
class _Selection:
    """Weights with a variance above the threshold, and the first `equal` of those at it. Sees the chunks in order."""

    threshold: float
    equal: int

    @classmethod
    def none(cls) -> _Selection:
        return cls(threshold=-1.0, equal=0)

    @classmethod
    def of(cls, deltas: _Deltas, density: float) -> _Selection:
        varying = sum(int(torch.count_nonzero(values)) for values in deltas.variances())
        count = int(density * varying)
        if count == 0:
            return cls(threshold=float("inf"), equal=0)
        threshold = threshold_of_count(deltas.variances, count).value
        above = sum(int((values > threshold).sum()) for values in deltas.variances())
        return cls(threshold=threshold, equal=count - above)

    def again(self) -> _Selection:
        return _Selection(self.threshold, self.equal)

    def apply(self, deltas: torch.Tensor) -> None:
        """Sets the deltas of weights that are not selected to 0."""
        if self.threshold < 0:
            return
        variance = _variance(deltas)
        chosen = variance > self.threshold
        if self.equal:
            places = torch.nonzero(variance == self.threshold).flatten()[: self.equal]
            chosen[places] = True
            self.equal -= len(places)
        deltas.mul_(chosen)
