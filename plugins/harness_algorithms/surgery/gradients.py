"""Buffers for the gradients of several domains, to which backward passes add."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class DomainGradients:
    """A gradient of `parameters` for each domain.

    Memory: one copy of the model's gradient per domain. A domain's gradients are one flat buffer per dtype and device,
    which the processes exchange.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], domains: int) -> None:
        self.parameters = list(parameters)
        self.domains = domains
        together: dict[tuple[torch.dtype, torch.device], list[int]] = defaultdict(list)
        for index, parameter in enumerate(self.parameters):
            together[parameter.dtype, parameter.device].append(index)
        self.buffers: list[Tensor] = []
        self._views: list[list[Tensor]] = [[] for _ in self.parameters]  # by parameter, then by domain
        for (dtype, device), indices in together.items():
            sizes = [self.parameters[index].numel() for index in indices]
            buffer = torch.zeros(domains, sum(sizes), dtype=dtype, device=device)
            self.buffers.append(buffer)
            for index, piece in zip(indices, torch.split(buffer, sizes, dim=1), strict=True):
                self._views[index] = [row.view_as(self.parameters[index]) for row in piece]

    def clear(self) -> None:
        """Sets all gradients to zero."""
        for buffer in self.buffers:
            buffer.zero_()

    @contextmanager
    def receive(self, domain: int) -> Iterator[None]:
        """Makes backward passes inside the block add to the gradient of `domain`; afterwards `grad` is None."""
        for parameter, views in zip(self.parameters, self._views, strict=True):
            parameter.grad = views[domain]
        try:
            yield
        finally:
            for parameter in self.parameters:
                parameter.grad = None

    def average_over_processes(self) -> None:
        """Averages each domain's gradient over all processes, as DDP would. Every process must call it."""
        for buffer in self.buffers:
            for gradient in buffer:
                torch.distributed.all_reduce(gradient)
            buffer.div_(torch.distributed.get_world_size())

    def inner_products(self) -> Tensor:
        """Returns the inner products of the domains' gradients in each parameter: float64 on the CPU,
        [parameters, domains, domains]."""
        first, second = torch.triu_indices(self.domains, self.domains).tolist()
        products = []
        for views in self._views:
            rows = [_full_precision(view).flatten() for view in views]
            products += [torch.dot(rows[a], rows[b]) for a, b in zip(first, second, strict=True)]
        found = torch.stack([product.to(products[0].device) for product in products]).cpu().double()
        gram = torch.zeros(len(self.parameters), self.domains, self.domains, dtype=torch.float64)
        gram[:, first, second] = found.view(len(self.parameters), -1)
        gram[:, second, first] = found.view(len(self.parameters), -1)
        return gram

    def write_sum(self, weights: Tensor) -> None:
        """Sets the parameters' gradient to the weighted sum of the domains' gradients.

        weights: [parameters, domains]. Overwrites the first domain's buffer with the sum.
        """
        for parameter, views, row in zip(self.parameters, self._views, weights.tolist(), strict=True):
            total = _full_precision(views[0]).mul_(row[0])
            for view, weight in zip(views[1:], row[1:], strict=True):
                total.add_(view, alpha=weight)
            parameter.grad = views[0] if total is views[0] else views[0].copy_(total)


def _full_precision(gradient: Tensor) -> Tensor:
    """Returns the tensor itself, or a float32 copy of a 16-bit one."""
    return gradient.float() if gradient.dtype in (torch.bfloat16, torch.float16) else gradient
