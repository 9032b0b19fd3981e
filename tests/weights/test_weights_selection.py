"""The selection of the highest scores of a stream equals a full sort, for any shapes, files, ties and estimates."""

import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import harness.weights.bounds as bounds_module
from harness import CheckpointError
from harness.weights import Scores, Stream, WeightFolder, select_highest, select_share
from harness.weights.bounds import Bounds
from harness.weights.histogram import threshold_of_count

SHAPES = st.lists(st.sampled_from([(3,), (1,), (7, 5), (4, 40), (2, 3, 4), (0, 4)]), min_size=1, max_size=4)
LOOSE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def folder_of(path, tensors, shards=1):
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    names, places = sorted(tensors), {}
    for shard in range(shards):
        inside = {name: tensors[name] for name in names[shard::shards]}
        save_file(inside, path / f"m-{shard}.safetensors")
        places |= dict.fromkeys(inside, f"m-{shard}.safetensors")
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return WeightFolder(path)


def scores_of(folder, chunk=16):
    stream = Stream([folder], folder.names(), chunk=chunk)
    return Scores(stream, lambda: lambda chunk, values, out: out.copy_(values[0]))


def selected(selection, scores):
    return [
        p + chunk.offset for chunk in scores.stream.chunks for p in sorted(selection.in_chunk(chunk).indices.tolist())
    ]


def naive(folder, count):
    flat = torch.cat([tensor.float().flatten() for _, tensor in folder])
    return sorted(torch.sort(flat, descending=True, stable=True).indices[:count].tolist())


INFINITY = float("inf")
GUESSES = [(-INFINITY, INFINITY), (4.0, 9.0), (-9e3, -8e3), (0.0, 0.0), (-1.0, 2.0)]
CASES = st.tuples(
    SHAPES, st.integers(0, 99), st.sampled_from([2, 5, 1000]), st.sampled_from([4, 16, 512]), st.integers(1, 2),
    st.floats(0, 1), st.sampled_from(GUESSES),
)  # fmt: skip


@LOOSE
@given(case=CASES)
def test_any_guess_gives_the_highest_and_of_equal_ones_the_first(tmp_path_factory, case):
    shapes, seed, levels, chunk, shards, share, (low, high) = case
    draw = torch.Generator().manual_seed(seed)
    tensors = {
        f"t{index}": torch.randint(-levels, levels, shape, generator=draw).float() for index, shape in enumerate(shapes)
    }
    folder = folder_of(tmp_path_factory.mktemp("scores") / "m", tensors, shards)
    scores = scores_of(folder, chunk)
    if scores.count == 0:
        return
    count = max(1, round(share * scores.count))
    with pytest.MonkeyPatch.context() as patch:
        guess = Bounds(low=low, high=high, between=0.0)
        patch.setattr("harness.weights.selection.estimate_bounds", lambda scores, count: guess)
        selection = select_highest(scores, count)
    assert selected(selection, scores) == naive(folder, count)


def test_bounds_from_a_sample_are_used_and_right(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds_module, "WHOLE", 0)
    monkeypatch.setattr("harness.weights.selection.WHOLE", 0)
    draw = torch.Generator().manual_seed(3)
    # Rows of very different sizes: neighbours are alike, and whole chunks lie above or below the bounds.
    wide = torch.randn(2048, 1024, generator=draw) * torch.rand(2048, 1, generator=draw).pow(4)
    folder = folder_of(tmp_path / "m", {"w": wide, "v": torch.randn(64, 512, generator=draw)})
    scores = scores_of(folder, 4096)
    passes = 0
    original = Scores.each

    def counted(self, start):
        nonlocal passes
        passes += 1
        return original(self, start)

    monkeypatch.setattr(Scores, "each", counted)
    monkeypatch.setattr(Scores, "__iter__", None)
    for share in (0.001, 0.01, 0.05, 1.0):
        count = round(share * scores.count)
        assert selected(select_highest(scores, count), scores) == naive(folder, count)
    assert passes == 4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_the_values_of_another_checkpoint_come_with_the_selection_where_few_are_taken(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(bounds_module, "WHOLE", 0)
    monkeypatch.setattr("harness.weights.selection.WHOLE", 0)
    draw = torch.Generator().manual_seed(5)
    scored = torch.randn(1024, 1024, generator=draw)
    scored[:100] += 10  # many of a chunk are taken here, few elsewhere
    other = torch.randn(1024, 1024, generator=draw).to(dtype)
    folders = [folder_of(tmp_path / "a", {"w": scored}), folder_of(tmp_path / "b", {"w": other})]
    scores = Scores(Stream(folders, ["w"], chunk=4096), lambda: lambda chunk, values, out: out.copy_(values[0]))
    selection = select_highest(scores, 150_000, carried=1)
    with_values = 0
    for chunk in scores.stream.chunks:
        selected = selection.in_chunk(chunk)
        if selected.values is not None:
            there = other.flatten()[chunk.start : chunk.start + chunk.count][torch.from_numpy(selected.indices)]
            assert torch.equal(torch.from_numpy(selected.values).view(dtype), there)
            with_values += len(selected.indices)
    assert 40_000 < with_values < 60_000


@LOOSE
@given(seed=st.integers(0, 999), count=st.integers(1, 300))
def test_the_histogram_finds_the_score_itself(seed, count):
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn(300, generator=draw) * 10.0 ** torch.randint(-30, 30, (300,), generator=draw)
    values[::7] = 0.0
    values[1::7] = -0.0
    found = threshold_of_count(lambda: values.split(64), count)
    assert found.value == float(values.sort(descending=True).values[count - 1])


@LOOSE
@given(seed=st.integers(0, 999), share=st.floats(0.01, 1), levels=st.sampled_from([2, 50]))
def test_a_share_of_the_sum_is_reached_by_the_fewest(tmp_path_factory, seed, share, levels):
    draw = torch.Generator().manual_seed(seed)
    tensors = {"w": torch.randint(0, levels, (7, 9), generator=draw).float(), "z": torch.ones(1)}
    folder = folder_of(tmp_path_factory.mktemp("scores") / "m", tensors)
    scores = scores_of(folder)
    chosen = selected(select_share(scores, share), scores)
    flat = torch.cat([tensor.flatten() for _, tensor in folder]).double()
    wanted = share * float(flat.sum())
    assert float(flat[chosen].sum()) >= wanted * (1 - 1e-12)
    assert chosen == naive(folder, len(chosen))
    assert float(flat[naive(folder, len(chosen) - 1)].sum()) < wanted


def test_a_share_of_what_can_be_negative_or_is_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="never negative"):
        select_share(scores_of(folder_of(tmp_path / "a", {"w": torch.tensor([1.0, -1.0])})), 0.5)
    with pytest.raises(ValueError, match="all scores are 0"):
        select_share(scores_of(folder_of(tmp_path / "b", {"w": torch.zeros(4)})), 0.5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(tmp_path, bad):
    folder = folder_of(tmp_path / "a", {"w": torch.zeros(40), "x": torch.tensor([[0.0, 1.0], [bad, 2.0]])})
    with pytest.raises(CheckpointError, match=r"x holds (nan|inf) at index 2"):
        select_highest(scores_of(folder), 3)
