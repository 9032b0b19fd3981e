"""Mismatched or broken checkpoints and a full disk: clear errors, and no partial files."""

import errno
import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness import CheckpointError, LineageEntry, RecoveryContext
from harness.weights import (
    DeltaMerge,
    WeightFolder,
    check_same_tensors,
    check_same_tokenizer,
    check_stored_once,
    delta_summary,
    linear_combination,
    merge_deltas,
    patched_copy,
    write_patched,
)
from harness_recoveries.rollback.config import RollbackConfig
from harness_recoveries.rollback.recovery import Rollback

WEIGHTS = {"a.weight": torch.arange(6.0).view(2, 3), "b.weight": torch.ones(4)}


TIED = '{"model_type": "llama", "tie_word_embeddings": true, "num_hidden_layers": 1}'


def model(folder, tensors=WEIGHTS, config="{}", tokenizer=None):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config)
    save_file(tensors, folder / "model.safetensors")
    if tokenizer is not None:
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def roll_back(tmp_path, now, peak):
    lineage = [
        LineageEntry(step=0, label="peak", domains=("math",), folder=peak),
        LineageEntry(step=1, label="qa", domains=("qa",), folder=now),
    ]
    output = tmp_path / "place" / "model"
    output.mkdir(parents=True)
    context = RecoveryContext(
        lineage=lineage, target="math", peak=0, domains={}, output=output, scratch=tmp_path, metrics=tmp_path / "m",
        seed=0, progress=lambda done, total, metrics: None,
    )  # fmt: skip
    Rollback(RollbackConfig(score="magnitude", fraction=0.5)).recover(context)
    return output


def with_dtype(dtype):
    return {name: tensor.to(dtype) for name, tensor in WEIGHTS.items()}


TOKENIZER = {"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": [], "padding": None}


@pytest.mark.parametrize(
    ("peak", "message"),
    [
        ({"tensors": {"a.weight": WEIGHTS["a.weight"]}}, "different tensors .* such as b.weight"),
        ({"tensors": WEIGHTS | {"b.weight": torch.ones(5)}}, r"b.weight has the shape \(4,\) in one .* \(5,\)"),
        ({"tensors": with_dtype(torch.bfloat16)}, "a.weight has the dtype torch.float32 in one .* torch.bfloat16"),
        ({"tokenizer": TOKENIZER | {"model": {"vocab": {"b": 0, "a": 1}}}}, "different tokenizers: their model"),
        ({"tensors": WEIGHTS | {"a.weight": torch.full((2, 3), float("nan"))}}, "a.weight holds nan at index 0"),
        ({"config": "not json"}, "config.json.*is not JSON"),
    ],
)
def test_checkpoints_that_do_not_fit_together(tmp_path, peak, message):
    now = model(tmp_path / "now", {n: t + 0.5 for n, t in WEIGHTS.items()}, tokenizer=TOKENIZER)
    before = bytes_of(now)
    with pytest.raises(CheckpointError, match=f"(?s){message}"):
        roll_back(tmp_path, now, model(tmp_path / "peak", **({"tokenizer": TOKENIZER} | peak)))
    assert bytes_of(now) == before
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["model"]
    assert not any((tmp_path / "place" / "model").iterdir())


def test_padding_that_a_trainer_sets_is_no_other_tokenizer(tmp_path):
    one = model(tmp_path / "one", tokenizer=TOKENIZER)
    other = model(tmp_path / "other", tokenizer=TOKENIZER | {"padding": {"direction": "Left"}})
    check_same_tokenizer(WeightFolder(one), WeightFolder(other))


def test_a_tied_head_that_is_stored_as_well(tmp_path):
    tied = {"model.embed_tokens.weight": torch.ones(2, 2)}
    both = tied | {"lm_head.weight": torch.ones(2, 2)}
    with pytest.raises(CheckpointError, match="to which the config ties it"):
        check_stored_once(WeightFolder(model(tmp_path / "a", both, config=TIED)))
    check_stored_once(WeightFolder(model(tmp_path / "b", both)))
    with pytest.raises(CheckpointError, match="a head that is tied"):
        check_same_tensors(WeightFolder(tmp_path / "b"), WeightFolder(model(tmp_path / "c", tied, config=TIED)))


def test_a_base_model_that_stores_its_tied_head_too_is_compared_with_what_was_trained_of_it(tmp_path):
    generator = torch.Generator().manual_seed(0)
    tied = {"model.embed_tokens.weight": torch.randn(600, 700, generator=generator), "b.weight": torch.ones(4)}
    twice = model(tmp_path / "base", tied | {"lm_head.weight": tied["model.embed_tokens.weight"].clone()}, TIED)
    base, once = WeightFolder(twice), {name: tensor + 1 for name, tensor in tied.items()}
    expert = WeightFolder(model(tmp_path / "expert", once, TIED))
    assert base.tied_copies == ("lm_head.weight",)
    assert base.names() == expert.names()
    edit = delta_summary(base, expert)
    assert edit.coordinates == edit.edited == 420_004
    (tmp_path / "out").mkdir()
    merge_deltas(base, [(0.5, expert)], DeltaMerge(), tmp_path / "out")
    merged = load_file(tmp_path / "out" / "model.safetensors")
    assert torch.allclose(merged["b.weight"], torch.full((4,), 1.5))
    assert WeightFolder(twice, copies=True).names() == sorted([*tied, "lm_head.weight"])

    other = {"lm_head.weight": tied["model.embed_tokens.weight"].clone()}
    other["lm_head.weight"][599, 699] += 1  # the last byte's neighbour: all of it is compared
    differing = WeightFolder(model(tmp_path / "differing", tied | other, TIED))
    with pytest.raises(CheckpointError, match="to which the config ties it"):
        merge_deltas(differing, [(0.5, expert)], DeltaMerge(), tmp_path / "none")


def test_a_shard_that_is_missing_or_another_models(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    save_file({"a": torch.ones(2)}, folder / "m-1.safetensors")
    places = {"a": "m-1.safetensors", "b": "m-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    with pytest.raises(CheckpointError, match=r"files that are missing: m-2.safetensors"):
        WeightFolder(folder)
    save_file({"other": torch.ones(2)}, folder / "m-2.safetensors")
    with pytest.raises(CheckpointError, match="1 tensors that no file holds, such as b"):
        WeightFolder(folder)


def test_a_checkpoint_is_never_written_over_files(tmp_path):
    source = model(tmp_path / "source")
    before = bytes_of(source)
    with pytest.raises(CheckpointError, match="not empty"):
        write_patched(WeightFolder(source), source, lambda name, tensor: tensor)
    assert bytes_of(source) == before


@pytest.mark.parametrize("in_the", ["copy", "patch"])
def test_a_disk_that_fills_up(tmp_path, monkeypatch, in_the):
    source = model(tmp_path / "source")
    before = bytes_of(source)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range" if in_the == "copy" else "pwrite", full)
    with pytest.raises(CheckpointError, match="no space is left"):
        write_patched(WeightFolder(source), tmp_path / "place" / "out", lambda name, tensor: tensor + 1)
    assert not any((tmp_path / "place").iterdir())
    assert bytes_of(source) == before


def test_an_interrupted_copy_leaves_nothing(tmp_path):
    source = WeightFolder(model(tmp_path / "source"))
    with pytest.raises(KeyboardInterrupt), patched_copy(source, tmp_path / "place" / "out"):
        raise KeyboardInterrupt
    assert not any((tmp_path / "place").iterdir())


def test_a_file_system_without_copies_in_the_kernel(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    source = model(tmp_path / "source")
    write_patched(WeightFolder(source), tmp_path / "out", lambda name, tensor: tensor)
    assert bytes_of(tmp_path / "out") == bytes_of(source)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_linear_combination_is_rounded_once(tmp_path, dtype):
    draw = torch.Generator().manual_seed(0)
    tensors = [{n: torch.randn(t.shape, generator=draw).to(dtype) for n, t in WEIGHTS.items()} for _ in range(3)]
    folders = [WeightFolder(model(tmp_path / str(index), each)) for index, each in enumerate(tensors)]
    linear_combination(list(zip([1.0, 0.5, -0.5], folders, strict=True)), tmp_path / "out")
    for name, result in load_file(tmp_path / "out" / "model.safetensors").items():
        exact = tensors[0][name].double() + 0.5 * tensors[1][name].double() - 0.5 * tensors[2][name].double()
        assert result.dtype == dtype
        assert torch.allclose(result.double(), exact, rtol=torch.finfo(dtype).eps, atol=1e-6)
