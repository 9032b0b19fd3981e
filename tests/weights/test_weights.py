"""Weights on disk: the difference of two checkpoints, and patched copies."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness import CheckpointError
from harness.weights import WeightFolder, check_same_tensors, delta_summary, write_patched


def model(folder, shards, dtype=torch.float32):
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    names = {}
    for index, tensors in enumerate(shards):
        save_file({k: v.to(dtype) for k, v in tensors.items()}, folder / f"m-{index}.safetensors")
        names |= dict.fromkeys(tensors, f"m-{index}.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    return folder


def test_delta_summary_by_hand(tmp_path):
    before = model(tmp_path / "a", [{"w": torch.tensor([1.0, 1.0, 0.0, 1e-9])}, {"v": torch.tensor([2.0])}])
    after = model(tmp_path / "b", [{"w": torch.tensor([1.0, 1.5, 0.0, 1.00001e-9])}, {"v": torch.tensor([2.0])}])
    edit = delta_summary(WeightFolder(before), WeightFolder(after))
    assert (edit.coordinates, edit.differing, edit.edited) == (5, 2, 1)
    assert edit.norm == pytest.approx(0.5)
    assert edit.unchanged_share == pytest.approx(0.8)


def test_different_models_are_refused(tmp_path):
    one = WeightFolder(model(tmp_path / "a", [{"w": torch.zeros(2)}]))
    with pytest.raises(CheckpointError, match="shape"):
        check_same_tensors(one, WeightFolder(model(tmp_path / "b", [{"w": torch.zeros(3)}])))
    with pytest.raises(CheckpointError, match=r"different tensors.*such as v"):
        check_same_tensors(one, WeightFolder(model(tmp_path / "c", [{"w": torch.zeros(2), "v": torch.zeros(1)}])))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_patched_copy_keeps_files_dtypes_and_the_source(tmp_path, dtype):
    source = model(tmp_path / "a", [{"w": torch.arange(4.0)}, {"v": torch.ones(2, 2)}], dtype)
    (source / "tokenizer.json").write_text("tok")
    before = (source / "m-0.safetensors").read_bytes()
    out = tmp_path / "out"
    out.mkdir()
    write_patched(WeightFolder(source), out, lambda name, t: t.float() + 1 if name == "w" else t)
    assert load_file(out / "m-0.safetensors")["w"].equal(torch.tensor([1.0, 2, 3, 4], dtype=dtype))
    assert load_file(out / "m-1.safetensors")["v"].dtype == dtype
    assert (out / "tokenizer.json").read_text() == "tok"
    assert (source / "m-0.safetensors").read_bytes() == before
    assert delta_summary(WeightFolder(source), WeightFolder(out)).differing == 4
