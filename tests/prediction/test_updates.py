"""What two updates have in common."""

import pytest
import torch
from scipy.linalg import sqrtm

from harness.prediction.updates import TOUCHED, bures_wasserstein, overlap


def drawn(model, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(sum(parameter.numel() for parameter in model.parameters()), generator=generator)


@pytest.fixture
def model():
    """Returns a wide matrix, a tall one, and their biases."""
    return torch.nn.Sequential(torch.nn.Linear(7, 3), torch.nn.Linear(3, 20))


def distance_by_definition(model, first, second):
    squared, start = 0.0, 0
    for parameter in model.parameters():
        ends = slice(start, start + parameter.numel())
        start = ends.stop
        if parameter.dim() == 2:
            one, two = (update[ends].view_as(parameter).double() for update in (first, second))
            a, b = (one.mT @ one).numpy(), (two.mT @ two).numpy()
            root = sqrtm(a)
            squared += (a.trace() + b.trace() - 2 * sqrtm(root @ b @ root).trace()).real
    return squared**0.5


def test_the_distance_of_two_updates_is_bures_and_wassersteins(model):
    first, second = drawn(model, 0), drawn(model, 1)
    assert bures_wasserstein(model, first, second) == pytest.approx(
        distance_by_definition(model, first, second), rel=1e-3
    )
    assert bures_wasserstein(model, first, first) == pytest.approx(0, abs=0.02)
    assert bures_wasserstein(model, first, -first) == pytest.approx(0, abs=0.02)  # a covariance has no sign


def test_the_overlap_counts_the_weights_that_both_touch_most(model):
    first = drawn(model, 0)
    assert overlap(model, first, -2 * first) == 100
    matrix = torch.nn.Linear(100, 1, bias=False)
    one, two = torch.zeros(100), torch.zeros(100)
    count = round(TOUCHED * 100)
    one[:count], two[count // 2 : count + count // 2] = 1, -1
    assert overlap(matrix, one, two) == pytest.approx(100 / 3)
