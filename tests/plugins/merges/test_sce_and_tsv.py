"""SCE and TSV, streamed: equal versions of whole tensors in plain torch, whatever the chunks."""

import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from harness.weights import SelectCalculateErase, SingularVectors, WeightFolder, merge_deltas


def model_of(folder, tensors):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({}))
    save_file(tensors, folder / "model.safetensors")
    return WeightFolder(folder)


def merged(folder, method, base, experts, *, weights=None, chunk=1 << 19):
    models = [model_of(folder / str(index), {"w": tensor}) for index, tensor in enumerate([base, *experts])]
    pairs = list(zip(weights or [1.0] * len(experts), models[1:], strict=True))
    merge_deltas(models[0], pairs, method, folder / "out", chunk=chunk)
    return WeightFolder(folder / "out").read("w")


def sce_at_once(base, experts, density, weights):
    """SCE on whole tensors: of equal variances, the first are selected."""
    deltas = torch.stack(experts).sub(base).flatten(1)
    if density < 1:
        variance = deltas.var(dim=0, unbiased=False)
        count = int(density * int(variance.count_nonzero()))
        chosen = torch.zeros(variance.numel(), dtype=torch.bool)
        chosen[torch.sort(variance, descending=True, stable=True).indices[:count]] = True
        deltas = deltas * chosen
    squares = deltas.double().square().mean(dim=1)
    own = squares / squares.sum() if squares.sum() else torch.full_like(squares, 1 / len(experts))
    total, divisor = torch.zeros(2, deltas.shape[1], dtype=torch.float64)
    sign = torch.where(deltas.sum(dim=0) >= 0, 1.0, -1.0)
    for delta, weight, coefficient in zip(deltas.double(), weights, own.tolist(), strict=True):
        agrees = (delta.sign() == sign) * weight * coefficient
        total, divisor = total + agrees * delta, divisor + agrees
    divisor[divisor == 0] = 1
    return base + (total / divisor).view(base.shape).float()


quarters = st.integers(-8, 8).map(lambda number: number / 4)  # exact in fp32, with many equal variances


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    size=st.integers(1, 24),
    count=st.integers(2, 3),
    density=st.sampled_from([0.01, 0.3, 0.5, 1.0]),
    chunk=st.integers(1, 30),
)
def test_sce_streamed_is_sce_at_once(tmp_path_factory, data, *, size, count, density, chunk):
    base, *experts = (
        torch.tensor(data.draw(st.lists(quarters, min_size=size, max_size=size))) for _ in range(count + 1)
    )
    weights = data.draw(st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=count, max_size=count))
    method = SelectCalculateErase(density=density)
    found = merged(tmp_path_factory.mktemp("sce"), method, base, experts, weights=weights, chunk=chunk)
    assert torch.allclose(found, sce_at_once(base, experts, density, weights), rtol=1e-5, atol=1e-6)


def test_sce_of_small_deltas_still_weights_the_experts_by_their_change(tmp_path):
    base = torch.zeros(4)
    experts = [torch.full((4,), 1e-4), torch.full((4,), 3e-4)]
    found = merged(tmp_path, SelectCalculateErase(), base, experts)
    assert torch.allclose(found, torch.full((4,), (1 * 1e-4 + 9 * 3e-4) / 10))


def tsv_at_once(deltas):
    """TSV-Merge of matrices in fp64, with the components in a matrix of the reference's size."""
    count, rank = len(deltas), min(deltas[0].shape)
    kept = rank // count
    u, s, v = torch.zeros(deltas[0].shape[0], rank), torch.zeros(rank), torch.zeros(rank, deltas[0].shape[1])
    u, s, v = u.double(), s.double(), v.double()
    for index, delta in enumerate(deltas):
        place = slice(index * kept, (index + 1) * kept)
        left, values, right = torch.linalg.svd(delta.double(), full_matrices=False)
        u[:, place], s[place], v[place] = left[:, :kept], values[:kept], right[:kept]
    (lu, _, ru), (lv, _, rv) = torch.linalg.svd(u, full_matrices=False), torch.linalg.svd(v, full_matrices=False)
    return lu @ ru @ torch.diag(s) @ lv @ rv


@pytest.mark.parametrize("shape", [(6, 9), (12, 8), (7, 7), (1, 5)])
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("chunk", [10, 1 << 19])
def test_tsv_is_that_of_whole_matrices_in_fp64(tmp_path, shape, count, chunk):
    draw = torch.Generator().manual_seed(count)
    base, *experts = (torch.randn(shape, generator=draw) for _ in range(count + 1))
    found = merged(tmp_path, SingularVectors(scale=0.5), base, experts, chunk=chunk)
    expected = base.double() + 0.5 * tsv_at_once([expert - base for expert in experts])
    assert torch.allclose(found.double(), expected, atol=1e-5)


def test_tsv_of_deltas_without_a_common_direction_is_their_sum(tmp_path):
    first, second = torch.zeros(4, 4), torch.zeros(4, 4)
    first[:2, :2], second[2:, 2:] = torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([[-3.0, 0.5], [1.0, 1.0]])
    found = merged(tmp_path, SingularVectors(), torch.zeros(4, 4), [first, second])
    assert torch.allclose(found, first + second, atol=1e-6)


def test_what_is_no_matrix_is_averaged(tmp_path):
    experts = [torch.tensor([2.0, 4.0]), torch.tensor([4.0, 0.0])]
    found = merged(tmp_path, SingularVectors(scale=2.0), torch.tensor([1.0, 1.0]), experts, weights=[1.0, 0.5])
    assert torch.allclose(found, torch.tensor([1.0 + (1.0 + 1.5), 1.0 + (3.0 - 0.5)]))
