"""Merges on disk: mergekit's numbers, an in-memory reference implementation, and refused inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from harness import CheckpointError, Expert, MergeContext
from harness.plugin.registry import Registry
from harness.testing.tiny_world import nudged_checkpoint, tiny_checkpoint
from harness.weights import DeltaMerge, LargestMagnitudes, RandomDrop, WeightFolder, merge_deltas, merge_linear
from harness.weights.model_folder import hash_checkpoint

MERGEKIT = json.loads((Path(__file__).parents[2] / "fixtures" / "merge" / "mergekit.json").read_text())
SHIPPED = Registry.discover(only=["mdrl-harness"])


def model_of(folder: Path, tensors: dict[str, torch.Tensor], **config) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors")
    return folder


def merged(method, base, experts, output, *, seed=0, weights=None, **config) -> WeightFolder:
    """Merges by the shipped plugin, as a run does, and returns the result."""
    offer = SHIPPED.find("merge", method)
    output.mkdir()
    offer.build(offer.config_type()(**config)).merge(
        MergeContext(
            base=base,
            experts=[
                Expert(name=f"expert-{index}", weight=weight, domains=(), folder=folder)
                for index, (folder, weight) in enumerate(zip(experts, weights or [1.0] * len(experts), strict=True))
            ],
            output=output,
            scratch=output.parent,
            seed=seed,
            progress=lambda done, total, metrics: None,
        )
    )
    return WeightFolder(output)


# --------------------------------------------------------------------------------------------------- mergekit


def tensors_of(numbers: dict[str, list[float]], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    shapes = {64: (8, 8), 8: (8,)}
    return {name: torch.tensor(values, dtype=dtype).view(shapes[len(values)]) for name, values in numbers.items()}


@pytest.mark.parametrize(
    ("dtype", "case"),
    [(dtype, index) for dtype, record in MERGEKIT["dtypes"].items() for index in range(len(record["cases"]))],
)
def test_the_numbers_are_mergekits(tmp_path, dtype, case):
    record = MERGEKIT["dtypes"][dtype]
    told = record["cases"][case]
    kind = getattr(torch, dtype)
    folders = {name: model_of(tmp_path / name, tensors_of(of, kind)) for name, of in record["inputs"].items()}
    base, *experts = folders.values()
    experts = experts[: len(told["weights"])]
    made = merged(
        told["method"],
        base,
        experts,
        tmp_path / "out",
        seed=MERGEKIT["seed"],
        weights=told["weights"],
        **told["settings"],
    )
    for name, expected in tensors_of(told["output"], kind).items():
        assert made.dtype(name) == kind
        sums = told["method"] == "sce" or told["settings"].get("rescale") == "l1"
        if sums and kind == torch.float32:  # its sums are in fp32, ours in fp64
            assert torch.allclose(made.read(name), expected, rtol=0, atol=1e-7)
        else:
            assert torch.equal(made.read(name), expected)


# ------------------------------------------------------------------------------------------------- the oracle


def ties_oracle(base, experts, weights, *, density, normalize, scale):
    """TIES over flat lists, in Python: trim by sorted magnitude, elect, and sum what agrees."""
    total = len(base)
    kept = total if density >= 1 else max(1, int(density * total))
    edits = []
    for expert in experts:
        edit = [after - before for after, before in zip(expert, base, strict=True)]
        stays = set(sorted(range(total), key=lambda i: (-abs(edit[i]), i))[:kept])
        edits.append([value if i in stays else 0.0 for i, value in enumerate(edit)])
    merged_values = []
    for i, before in enumerate(base):
        terms = [(weight, weight * edit[i]) for weight, edit in zip(weights, edits, strict=True)]
        sign = 1 if sum(term for _, term in terms) >= 0 else -1
        agreeing = [(weight, term) for weight, term in terms if term * sign > 0]
        value = sum(term for _, term in agreeing)
        if normalize:
            value /= sum(weight for weight, _ in agreeing) or 1.0
        merged_values.append(before + scale * value)
    return merged_values


quarters = st.integers(-8, 8).map(lambda number: number / 4)  # exact in fp32, with many equal magnitudes


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    rows=st.integers(1, 4),
    columns=st.integers(1, 7),
    count=st.integers(2, 3),
    density=st.sampled_from([0.01, 0.2, 0.5, 0.9, 1.0]),
    normalize=st.booleans(),
    chunk=st.integers(1, 30),
)
def test_ties_streamed_is_ties_at_once(tmp_path_factory, data, *, rows, columns, count, density, normalize, chunk):
    folder = tmp_path_factory.mktemp("ties")
    size = rows * columns
    models = [data.draw(st.lists(quarters, min_size=size, max_size=size)) for _ in range(count + 1)]
    weights = data.draw(st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=count, max_size=count))
    base, *experts = (
        WeightFolder(model_of(folder / str(index), {"w": torch.tensor(values).view(rows, columns)}))
        for index, values in enumerate(models)
    )
    method = DeltaMerge(sparsity=LargestMagnitudes(density), elect=True, normalize=normalize, scale=2.0)
    merge_deltas(base, list(zip(weights, experts, strict=True)), method, folder / "out", chunk=chunk)
    expected = ties_oracle(models[0], models[1:], weights, density=density, normalize=normalize, scale=2.0)
    assert WeightFolder(folder / "out").read("w").flatten().tolist() == pytest.approx(expected, abs=1e-6)


# ------------------------------------------------------------------------------------------- what each one does


@pytest.fixture
def world(tmp_path):
    base = tiny_checkpoint(tmp_path / "base")
    return base, [nudged_checkpoint(base, tmp_path / f"expert-{seed}", seed=seed) for seed in (1, 2)]


def whole(folder: Path) -> torch.Tensor:
    return torch.cat([tensor.flatten() for _, tensor in WeightFolder(folder)])


def test_a_linear_merge_is_the_weighted_mean_without_the_base(world, tmp_path):
    base, experts = world
    merged("linear", base, experts, tmp_path / "out", weights=[3.0, 1.0])
    expected = (3 * whole(experts[0]) + whole(experts[1])) / 4
    assert torch.allclose(whole(tmp_path / "out"), expected, atol=1e-7)


def test_task_arithmetic_adds_the_edits(world, tmp_path):
    base, experts = world
    merged("task-arithmetic", base, experts, tmp_path / "out", scale=0.5)
    expected = whole(base) + 0.5 * sum(whole(expert) - whole(base) for expert in experts)
    assert torch.allclose(whole(tmp_path / "out"), expected, atol=1e-7)


def test_dare_drops_a_share_at_random_and_keeps_the_mean_of_what_is_left(world, tmp_path):
    base, experts = world
    merged("dare", base, experts[:1] * 2, tmp_path / "out", weights=[1.0, 1e-30], density=0.3)
    edit, dropped = whole(experts[0]) - whole(base), whole(tmp_path / "out") - whole(base)
    kept = dropped.abs() > 1e-20
    share, error = kept.double().mean().item(), (0.3 * 0.7 / kept.numel()) ** 0.5
    assert abs(share - 0.3) < 5 * error
    assert torch.allclose(dropped[kept], edit[kept] / 0.3, atol=1e-6)


def test_dare_draws_by_its_seed_alone_and_each_expert_for_itself(world, tmp_path):
    base, experts = world
    state = torch.random.get_rng_state()
    outputs = []
    for index, seed in enumerate((1, 1, 2)):
        merged("dare-ties", base, experts, tmp_path / f"out-{index}", seed=seed, density=0.5)
        outputs.append(hash_checkpoint(tmp_path / f"out-{index}"))
    assert outputs[0] == outputs[1] != outputs[2]
    assert torch.equal(state, torch.random.get_rng_state())
    twice = whole(merged("dare", base, experts[:1] * 2, tmp_path / "same", density=0.5).folder) - whole(base)
    edit = whole(experts[0]) - whole(base)
    ratios = (twice / edit).round().unique().tolist()
    assert ratios == [0.0, 2.0, 4.0]  # neither, one, both of two draws of the same edit


def test_dare_does_not_depend_on_the_chunks(world, tmp_path):
    base, experts = (WeightFolder(world[0]), [(1.0, WeightFolder(path)) for path in world[1]])
    for chunk in (64, 1 << 18):
        method = DeltaMerge(sparsity=RandomDrop(0.5, seed=3))
        merge_deltas(base, experts, method, tmp_path / f"out-{chunk}", chunk=chunk)
    assert hash_checkpoint(tmp_path / "out-64") == hash_checkpoint(tmp_path / f"out-{1 << 18}")


def test_experts_in_bfloat16_of_a_base_in_fp32_give_bfloat16(tmp_path):
    base = model_of(tmp_path / "base", {"w": torch.tensor([1.0, 2.0]), "steps": torch.tensor([1])})
    experts = [
        model_of(tmp_path / name, {"w": torch.tensor(values, dtype=torch.bfloat16), "steps": torch.tensor([step])})
        for step, (name, values) in enumerate({"one": [1.5, 2.0], "two": [1.0, 2.5]}.items(), 2)
    ]
    made = merged("task-arithmetic", base, experts, tmp_path / "out")
    assert made.dtype("w") == torch.bfloat16
    assert made.read("w").tolist() == [1.5, 2.5]
    assert made.read("steps").tolist() == [2]  # what is no floating-point number is the first expert's


def test_progress_ends_at_the_whole(world, tmp_path):
    heard = []
    models = [(1.0, WeightFolder(path)) for path in world[1]]
    merge_linear(models, tmp_path / "out", progress=lambda done, total: heard.append((done, total)))
    assert heard[-1][0] == heard[-1][1] == whole(world[0]).numel()


# -------------------------------------------------------------------------------------------- what is refused

W, NAN = torch.ones(2, 2), torch.tensor([[1.0, float("nan")], [1.0, 1.0]])


@pytest.mark.parametrize("method", ["linear", "task-arithmetic", "ties", "dare", "dare-ties"])
@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"w": W, "v": 2 * W}, "different tensors"),
        ({"w": torch.ones(2, 3)}, "shape"),
        ({"w": W.half()}, "torch.float16"),
        ({"w": NAN}, "w holds nan at index 1"),
        ({"w": -NAN / 0}, "w holds"),
    ],
)
def test_experts_that_do_not_fit_are_refused(tmp_path, method, second, message):
    base, one = (model_of(tmp_path / name, {"w": W}) for name in ("base", "one"))
    other = model_of(tmp_path / "other", second)
    with pytest.raises(CheckpointError) as caught:
        merged(method, base, [one, other], tmp_path / "out")
    assert message in caught.value.message
    assert "other" in caught.value.where
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("method", ["linear", "ties"])
def test_a_base_of_other_tensors_is_refused(tmp_path, method):
    base = model_of(tmp_path / "base", {"w": torch.ones(2, 3)})
    experts = [model_of(tmp_path / name, {"w": W}) for name in ("one", "two")]
    with pytest.raises(CheckpointError, match="shape"):
        merged(method, base, experts, tmp_path / "out")


def test_a_missing_shard_is_told_with_the_experts_name(world, tmp_path):
    base, experts = world
    (experts[1] / "model.safetensors").unlink()
    with pytest.raises(CheckpointError) as caught:
        merged("ties", base, experts, tmp_path / "out")
    assert "expert expert-1" in caught.value.where


def test_other_tokenizers_are_refused(world, tmp_path):
    base, experts = world
    path = experts[1] / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(CheckpointError, match="different tokenizers"):
        merged("linear", base, experts, tmp_path / "out")


def test_a_tied_head_that_is_stored_is_refused_and_one_that_is_not_is_merged(tmp_path):
    embeddings, head = "model.embed_tokens.weight", "lm_head.weight"

    def models(tensors):
        return [
            model_of(
                tmp_path / f"{len(tensors)}-{name}",
                {key: (size * W).clone() for key in tensors},
                model_type="llama",
                tie_word_embeddings=True,
            )
            for name, size in (("base", 1.0), ("one", 2.0), ("two", 4.0))
        ]

    base, *experts = models([embeddings, head])
    with pytest.raises(CheckpointError, match="to which the config ties it"):
        merged("task-arithmetic", base, experts, tmp_path / "refused")
    base, *experts = models([embeddings])
    assert merged("task-arithmetic", base, experts, tmp_path / "out").read(embeddings).tolist() == (5.0 * W).tolist()


def test_a_merge_that_overflows_says_so(tmp_path):
    base = model_of(tmp_path / "base", {"w": torch.zeros(2, dtype=torch.float16)})
    experts = [
        model_of(tmp_path / name, {"w": torch.full((2,), 60000.0, dtype=torch.float16)}) for name in ("one", "two")
    ]
    with pytest.raises(CheckpointError, match=r"too large for torch\.float16"):
        merged("task-arithmetic", base, experts, tmp_path / "out")


@pytest.mark.parametrize("setting", [{"density": 0.0}, {"density": 1.1}, {"scale": 0.0}, {"scale": float("inf")}])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        SHIPPED.find("merge", "dare-ties").config_type()(**setting)
