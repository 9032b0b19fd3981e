"""Merges by importance equal a naive fp64 version in every bit: any dtype, power, level, sharding and chunk."""

import math
from unittest.mock import patch

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from tensor_world import write_model

from harness.errors import CheckpointError
from harness.weights import (
    Curvature,
    Importance,
    WeightedModel,
    WeightFolder,
    group_parameters,
    importance,
    merge_weighted,
)

SHAPES = {
    "model.embed_tokens.weight": (5, 3),
    "model.layers.0.mlp.up_proj.weight": (4, 3),
    "model.layers.0.self_attn.q_proj.weight": (3, 3),
    "model.layers.1.mlp.up_proj.weight": (7,),
    "model.norm.weight": (3,),
}
COUNTS = {name: math.prod(shape) for name, shape in SHAPES.items()}


def drawn(seed, dtype, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return {name: (scale * torch.randn(shape, generator=generator)).to(dtype) for name, shape in SHAPES.items()}


def near(tensors, seed):
    """Returns a checkpoint some of whose values are equal, and some the neighbours: merges then lie on ties."""
    generator = torch.Generator().manual_seed(seed)
    moved = {}
    for name, tensor in tensors.items():
        step = torch.randint(-1, 2, tensor.shape, generator=generator)
        eps = torch.finfo(tensor.dtype).eps
        moved[name] = (tensor.double() * (1 + step * eps)).to(tensor.dtype)
    return moved


def curvature_of(seed, zeros):
    """Returns F over many magnitudes, with a share of zeros."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, shape in SHAPES.items():
        value = torch.exp(10 * torch.randn(shape, generator=generator) - 20)
        found[name] = value * (torch.rand(shape, generator=generator) >= zeros)
    return found


def written(folder, tensors, shards=1):
    write_model(folder, tensors, shards=shards)
    return WeightFolder(folder)


def curved(folder, tensors):
    folder.mkdir(parents=True)
    save_file(tensors, folder / "gradients.safetensors")
    sums = {name: float(value.double().sum()) for name, value in tensors.items()}
    return Curvature(folder=WeightFolder(folder, model=False), sums=sums)


def naive_importance(curvature, factor, power, level, normalize):
    """Returns how much each weight counts, as whole tensors in fp64."""
    values = {name: value.double() for name, value in curvature.items()}
    if level != "weight":
        module = {name: group.module if level == "module" else "" for name, group in group_parameters(SHAPES).items()}
        for group in set(module.values()):
            inside = [name for name in SHAPES if module[name] == group]
            mean = math.fsum(float(values[name].sum()) for name in inside) / sum(COUNTS[name] for name in inside)
            for name in inside:
                values[name] = torch.full(SHAPES[name], mean, dtype=torch.float64)
        values = {
            name: torch.full(SHAPES[name], float(value.flatten()[0]) ** power, dtype=torch.float64)
            for name, value in values.items()
        }
        total = math.fsum(float(value.flatten()[0]) * COUNTS[name] for name, value in values.items())
        scale = factor / total if normalize and total else factor
        values = {name: value * scale for name, value in values.items()}
    else:
        values = {name: value.pow(power) for name, value in values.items()}
        total = math.fsum(float(values[name].sum()) for name in SHAPES)
        divisor = total if normalize and total else 1.0
        values = {name: value / divisor * factor for name, value in values.items()}
    if total == 0:
        everywhere = factor / sum(COUNTS.values()) if normalize else 0.0
        values = {name: torch.full(SHAPES[name], everywhere, dtype=torch.float64) for name in SHAPES}
    return values


def naive_merge(thetas, counts, factors):
    merged = {}
    for name, shape in SHAPES.items():
        total, divisor = torch.zeros(2, *shape, dtype=torch.float64)
        for count in counts:
            divisor = divisor + count[name]
        empty = divisor == 0
        divisor[empty] = sum(factors)
        for theta, count, factor in zip(thetas, counts, factors, strict=True):
            total = (
                total
                + torch.where(empty, torch.tensor(factor, dtype=torch.float64), count[name]) * theta[name].double()
            )
        merged[name] = (total / divisor).to(thetas[0][name].dtype)
    return merged


@st.composite
def cases(draw):
    """Returns the settings of a merge, as a mapping."""
    number = draw(st.integers(2, 4))
    return {
        "seed": draw(st.integers(0, 10**6)),
        "dtype": draw(st.sampled_from([torch.bfloat16, torch.float16, torch.float32])),
        "weights": draw(st.sampled_from(["uniform", "curvature"])),
        "options": {
            "power": draw(st.sampled_from([1.0, 0.5, 2.0])),
            "level": draw(st.sampled_from(["weight", "module", "model"])),
            "normalize": draw(st.booleans()),
        },
        "zeros": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "factors": draw(st.lists(st.sampled_from([1.0, 2.0, 0.3]), min_size=number, max_size=number)),
        "close": draw(st.booleans()),
        "shards": draw(st.integers(1, 3)),
        "chunk": draw(st.sampled_from([1, 2, 4, 1 << 17])),
    }


def importances(folder, case):
    """Returns how much the weights of each model of a case count: for the engine, and as whole tensors."""
    factors = case["factors"]
    if case["weights"] == "uniform":
        tensors = [{n: torch.full(s, factor, dtype=torch.float64) for n, s in SHAPES.items()} for factor in factors]
        return [Importance(factor=factor) for factor in factors], tensors
    curvatures = [curvature_of(case["seed"] + 100 + n, case["zeros"]) for n in range(len(factors))]
    pairs = list(zip(curvatures, factors, strict=True))
    found = [
        importance(curved(folder / f"f{n}", one), COUNTS, factor=factor, **case["options"])
        for n, (one, factor) in enumerate(pairs)
    ]
    return found, [naive_importance(one, factor, **case["options"]) for one, factor in pairs]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases())
def test_every_merge_is_the_naive_one_to_the_last_bit(tmp_path_factory, case):
    folder, factors, seed, dtype = tmp_path_factory.mktemp("merge"), case["factors"], case["seed"], case["dtype"]
    thetas = [drawn(seed, dtype)]
    thetas += [near(thetas[0], seed + n) if case["close"] else drawn(seed + n, dtype) for n in range(1, len(factors))]
    models = [written(folder / str(n), theta, case["shards"] if n else 1) for n, theta in enumerate(thetas)]
    found, counts = importances(folder, case)
    weighted = [WeightedModel(model=model, importance=one) for model, one in zip(models, found, strict=True)]
    with patch("os.fsync"):  # it only costs time here
        done = merge_weighted(weighted, folder / "out", start=models[-1], chunk=case["chunk"])
    expected = naive_merge(thetas, counts, factors)
    merged = WeightFolder(folder / "out")
    for name in SHAPES:
        assert torch.equal(merged.read(name), expected[name]), name
    change = [merged.read(name).double() - thetas[-1][name].double() for name in SHAPES]
    assert done.differing == sum(int((one != 0).sum()) for one in change)
    assert done.norm == pytest.approx(math.sqrt(sum(float(one.square().sum()) for one in change)))
    assert sum(done.shares) == pytest.approx(1)
    assert all(sum(shares) == pytest.approx(1) for shares in done.by_module.values())
    assert len(merged.files) == case["shards"]


def test_shares_are_those_of_the_weights(tmp_path):
    models = [written(tmp_path / str(n), drawn(n, torch.bfloat16)) for n in range(2)]
    curvatures = [
        {name: torch.full(shape, 3.0 if "mlp" in name and n == 0 else 1.0) for name, shape in SHAPES.items()}
        for n in range(2)
    ]
    weighted = [
        WeightedModel(
            model=model,
            importance=importance(curved(tmp_path / f"f{n}", curvatures[n]), COUNTS, normalize=False),
        )
        for n, model in enumerate(models)
    ]
    done = merge_weighted(weighted, tmp_path / "out", start=models[1])
    assert done.by_module["layers.0.mlp"] == pytest.approx((0.75, 0.25))
    assert done.by_module["layers.0.self_attn"] == pytest.approx((0.5, 0.5))
    inside = sum(count for name, count in COUNTS.items() if "mlp" in name) / sum(COUNTS.values())
    assert done.shares[0] == pytest.approx(0.75 * inside + 0.5 * (1 - inside))


def test_a_stage_without_curvature_counts_everywhere_the_same(tmp_path):
    flat = curved(tmp_path / "flat", {name: torch.zeros(shape) for name, shape in SHAPES.items()})
    one = importance(flat, COUNTS, factor=2.0)
    assert not one.known
    assert {one.of_tensor(name) for name in SHAPES} == {2.0 / sum(COUNTS.values())}


def test_integer_tensors_and_files_are_those_of_the_start(tmp_path):
    models = []
    for n in range(2):
        tensors = drawn(n, torch.float32) | {"model.steps": torch.tensor([n]), "model.none": torch.zeros(0)}
        models.append(written(tmp_path / str(n), tensors, shards=2))
    merge_weighted([WeightedModel(model=m, importance=Importance()) for m in models], tmp_path / "out", start=models[0])
    merged = WeightFolder(tmp_path / "out")
    assert merged.read("model.steps").tolist() == [0]
    assert [path.name for path in merged.files] == [path.name for path in models[0].files]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t | {"model.norm.weight": torch.ones(4)}, "model.norm.weight has the shape"),
        (lambda t: t | {"model.norm.weight": torch.ones(3, dtype=torch.float16)}, "has the dtype"),
        (lambda t: {name: value for name, value in t.items() if "norm" not in name}, "different tensors"),
        (
            lambda t: t | {"model.norm.weight": torch.tensor([1.0, math.nan, 1.0])},
            "model.norm.weight holds nan at index 1",
        ),
        (
            lambda t: t | {"model.norm.weight": torch.tensor([1.0, math.inf, 1.0])},
            "model.norm.weight holds inf at index 1",
        ),
    ],
)
def test_what_cannot_be_merged_is_refused_and_leaves_nothing(tmp_path, change, message):
    tensors = drawn(0, torch.float32)
    models = [written(tmp_path / "a", tensors), written(tmp_path / "b", change(tensors))]
    with pytest.raises(CheckpointError, match=message):
        merge_weighted(
            [WeightedModel(model=m, importance=Importance()) for m in models], tmp_path / "out", start=models[0]
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {name: value for name, value in t.items() if "norm" not in name}, "has no tensor model.norm.weight"),
        (lambda t: t | {"model.norm.weight": torch.ones(4)}, "3 weights, and its curvature 4"),
        (lambda t: t | {"model.norm.weight": torch.tensor([1.0, math.inf, 1.0])}, "of model.norm.weight sums to inf"),
        (lambda t: t | {"model.norm.weight": -torch.ones(3)}, "of model.norm.weight sums to -3"),
    ],
)
def test_a_curvature_that_does_not_fit_is_refused(tmp_path, change, message):
    with pytest.raises(CheckpointError, match=message):
        importance(curved(tmp_path / "f", change(curvature_of(0, 0.0))), COUNTS)
