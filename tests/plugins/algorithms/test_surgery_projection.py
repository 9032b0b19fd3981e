"""The projection: three tasks by hand, a direct implementation of the papers' algorithm, and invariants."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import nn

from harness_algorithms.surgery.gradients import DomainGradients
from harness_algorithms.surgery.projection import projected, shuffled_others, step_generator


def gram(vectors):
    """The inner products of one group of tasks, from their gradients as rows."""
    rows = torch.tensor(vectors, dtype=torch.float64)
    return (rows @ rows.T).unsqueeze(0)


def projected_vectors(vectors, order):
    coefficients = projected(gram(vectors), torch.tensor([order]))[0]
    return coefficients @ torch.tensor(vectors, dtype=torch.float64)


def by_the_book(vectors, order):
    """Algorithm 1 of PCGrad on the vectors themselves."""
    originals = torch.tensor(vectors, dtype=torch.float64)
    result = []
    for task, others in enumerate(order):
        gradient = originals[task].clone()
        for other in others:
            inner = gradient @ originals[other]
            squared = originals[other] @ originals[other]
            if inner < 0 and squared > 1e-12:
                gradient -= inner / squared * originals[other]
        result.append(gradient)
    return torch.stack(result)


# g1 = (1, 0), g2 = (-1, 1), g3 = (0, -1).
# g1 meets g2 at -1: it loses -1/2 (-1, 1) and is (1/2, 1/2). That meets g3 at -1/2: it loses -1/2 (0, -1), (1/2, 0).
# Met first, g3 is orthogonal to g1, and only g2 acts: (1/2, 1/2).
# g2 meets g1 at -1 and is (0, 1), then g3 at -1 and is (0, 0); in the other order (-1, 0), then (0, 0).
# g3 meets g1 at 0, then g2 at -1: it loses -1/2 (-1, 1) and is (-1/2, -1/2). Met first, g2 makes it (-1/2, -1/2), which
# meets g1 at -1/2 and is (0, -1/2).
HAND = [[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([[1, 2], [0, 2], [0, 1]], [[0.5, 0.0], [0.0, 0.0], [-0.5, -0.5]]),
        ([[2, 1], [2, 0], [1, 0]], [[0.5, 0.5], [0.0, 0.0], [0.0, -0.5]]),
    ],
)
def test_three_tasks_by_hand(order, expected):
    assert projected_vectors(HAND, order).tolist() == expected


def test_tasks_that_agree_stay_as_they_are():
    assert projected_vectors([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]], [[1, 2], [0, 2], [0, 1]]).tolist() == [
        [1.0, 0.0], [1.0, 1.0], [0.0, 2.0],
    ]  # fmt: skip


def test_a_task_without_gradient_changes_nothing():
    assert projected_vectors([[1.0, -1.0], [0.0, 0.0]], [[1], [0]]).tolist() == [[1.0, -1.0], [0.0, 0.0]]


VECTORS = st.integers(2, 5).flatmap(
    lambda tasks: st.lists(
        st.lists(st.floats(-10, 10, width=32), min_size=4, max_size=4), min_size=tasks, max_size=tasks
    )
)


@given(VECTORS, st.integers(0, 2**31))
def test_it_is_the_algorithm_of_the_papers(vectors, seed):
    order = shuffled_others(1, len(vectors), torch.Generator().manual_seed(seed))
    expected = by_the_book(vectors, order[0].tolist())
    scale = max(1.0, float(torch.tensor(vectors).norm()))
    found = projected_vectors(vectors, order[0].tolist())
    # A product that is zero but for rounding may fall on either side; projecting on it or not changes as little.
    assert (found - expected).abs().max() <= 1e-6 * scale**2


@given(st.lists(st.lists(st.floats(-10, 10, width=32), min_size=6, max_size=6), min_size=2, max_size=2))
def test_after_it_two_tasks_do_not_conflict(vectors):
    originals = torch.tensor(vectors, dtype=torch.float64)
    result = projected_vectors(vectors, [[1], [0]])
    norms = originals.norm(dim=1)
    for task, other in ((0, 1), (1, 0)):
        assert result[task] @ originals[other] >= -1e-9 * (1e-6 + norms[task] * norms[other])
        assert result.sum(dim=0) @ originals[other] >= -1e-9 * (1e-6 + norms.sum() * norms[other])


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**31))
def test_every_task_meets_each_other_once(groups, tasks, seed):
    order = shuffled_others(groups, tasks, torch.Generator().manual_seed(seed))
    for group in order.tolist():
        for task, others in enumerate(group):
            assert sorted([task, *others]) == list(range(tasks))


def test_the_order_hangs_on_seed_and_step_alone():
    def drawn(seed, step):
        return shuffled_others(8, 4, step_generator(seed, step)).tolist()

    torch.manual_seed(1)
    first = drawn(0, 1)
    state = torch.get_rng_state()
    assert drawn(0, 1) == first
    assert torch.get_rng_state().equal(state)
    assert drawn(0, 2) != first != drawn(1, 1)


def parameters():
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(*shape)) for shape in ((4, 3), (5,), (2, 2, 2))]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_backward_passes_add_to_the_gradient_of_their_domain(dtype):
    ours = [nn.Parameter(p.to(dtype)) for p in parameters()]
    gradients = DomainGradients(ours, 2)
    for domain, factor in ((0, 1.0), (1, -2.0), (0, 1.0)):
        with gradients.receive(domain):
            sum(factor * (p**2).sum() for p in ours).backward()
        assert all(p.grad is None for p in ours)
    # The gradients are 2 · 2p and -4p.
    squares = [float((p.detach().double() ** 2).sum()) for p in ours]
    products = gradients.inner_products()
    for found, square in zip(products, squares, strict=True):
        assert found.flatten().tolist() == pytest.approx([16 * square, -16 * square, -16 * square, 16 * square], 0.02)
    gradients.write_sum(torch.tensor([[1.0, 0.5], [1.0, 1.0], [0.0, 1.0]], dtype=torch.float64))
    for parameter, factor in zip(ours, (2.0, 0.0, -4.0), strict=True):
        torch.testing.assert_close(parameter.grad, factor * parameter.detach())


def test_a_cleared_gradient_is_zero():
    ours = parameters()
    gradients = DomainGradients(ours, 2)
    with gradients.receive(1):
        sum(p.sum() for p in ours).backward()
    gradients.clear()
    assert not gradients.inner_products().any()


def test_parameters_of_several_dtypes_stand_in_several_buffers():
    ours = [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2, dtype=torch.float64))]
    gradients = DomainGradients(ours, 2)
    for domain in (0, 1):
        with gradients.receive(domain):
            (ours[0].sum() + ours[1].sum()).backward()
    assert len(gradients.buffers) == 2
    assert gradients.inner_products()[:, 0, 1].tolist() == [3.0, 2.0]
