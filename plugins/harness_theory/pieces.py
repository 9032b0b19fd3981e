"""The pieces of an update that are added to a checkpoint one by one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from harness_theory.eigenvectors import Subspace

FULL, SUBSPACE, COMPLEMENT = "full", "subspace", "complement"
RANDOM_SUBSPACE, RANDOM_BY_TENSOR, RANDOM_DIRECTION = "random-subspace", "random-by-tensor", "random-direction"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of an update δ, or its control. make: returns the vector. draw: the number of a random one, else 0."""

    name: str
    draw: int
    make: Callable[[], torch.Tensor]


def pieces(
    delta: torch.Tensor,
    subspace: Subspace,
    by_tensor: Callable[[torch.Tensor], Mapping[str, torch.Tensor]],
    *,
    draws: int,
    seed: str,
) -> Iterator[Piece]:
    """Yields δ, its projection Pδ on the subspace, its complement δ − Pδ, and `draws` controls of three kinds:

    - `random-subspace`: the projection of δ on as many random directions, scaled to ‖Pδ‖;
    - `random-by-tensor`: a random direction whose part in every tensor has the norm of that of Pδ;
    - `random-direction`: a random direction of norm ‖δ‖.

    by_tensor: returns the parts of a vector by tensor, as views.
    """
    inside = subspace.project(delta)
    yield Piece(name=FULL, draw=0, make=lambda: delta)
    yield Piece(name=SUBSPACE, draw=0, make=lambda: inside)
    yield Piece(name=COMPLEMENT, draw=0, make=lambda: delta - inside)

    def random_subspace(generator: torch.Generator) -> torch.Tensor:
        directions = torch.randn(len(delta), len(subspace.values), generator=generator)
        basis, _ = torch.linalg.qr(directions)
        return _scaled(basis @ (basis.T @ delta), inside.norm())

    def random_by_tensor(generator: torch.Generator) -> torch.Tensor:
        found = torch.randn(len(delta), generator=generator)
        for part, like in zip(by_tensor(found).values(), by_tensor(inside).values(), strict=True):
            part.copy_(_scaled(part, like.norm()))
        return found

    def random_direction(generator: torch.Generator) -> torch.Tensor:
        return _scaled(torch.randn(len(delta), generator=generator), delta.norm())

    controls = {
        RANDOM_SUBSPACE: random_subspace,
        RANDOM_BY_TENSOR: random_by_tensor,
        RANDOM_DIRECTION: random_direction,
    }
    for name, drawn in controls.items():
        for draw in range(draws):
            own = random.Random(f"{seed}/{name}/{draw}").getrandbits(63)
            yield Piece(name=name, draw=draw, make=_of(drawn, own))


def _of(drawn: Callable[[torch.Generator], torch.Tensor], seed: int) -> Callable[[], torch.Tensor]:
    return lambda: drawn(torch.Generator().manual_seed(seed))


def _scaled(vector: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
    """Returns the vector with another norm; zero where it is zero."""
    own = vector.norm()
    return vector * (norm / own) if own > 0 else vector
