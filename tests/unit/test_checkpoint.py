"""Model folders: whole ones pass, torn ones are named."""

import json

import pytest
import torch
from safetensors.torch import save_file

from harness import CheckpointError
from harness.checkpoint import check_checkpoint, hash_checkpoint, weight_files


@pytest.fixture
def folder(tmp_path):
    save_file({"a.weight": torch.arange(6.0).view(2, 3)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def test_a_whole_folder_passes_and_its_hash_follows_the_weights(folder):
    check_checkpoint(folder)
    before = hash_checkpoint(folder)
    assert before == hash_checkpoint(folder)
    save_file({"a.weight": torch.arange(6.0).view(2, 3) + 1}, folder / "model.safetensors")
    assert hash_checkpoint(folder) != before


@pytest.mark.parametrize("keep", [0, 4, 8, 20, -1])
def test_truncated_weights_are_named(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        check_checkpoint(folder)


def test_garbage_is_no_header(folder):
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(CheckpointError, match="header"):
        check_checkpoint(folder)


def test_missing_parts_are_said(folder, tmp_path):
    with pytest.raises(CheckpointError, match="no such folder"):
        weight_files(tmp_path / "nowhere")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "x-1.safetensors"}}))
    with pytest.raises(CheckpointError, match=r"x-1\.safetensors"):
        weight_files(folder)
    (folder / "model.safetensors.index.json").unlink()
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="neither"):
        weight_files(folder)
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        weight_files(folder)
