"""Model folders: complete ones pass, incomplete ones are reported."""

import json

import pytest
import torch
from safetensors.torch import save_file

from harness import CheckpointError
from harness.weights.model_folder import check_checkpoint, fingerprint_folder, hash_checkpoint, weight_files


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


@pytest.mark.parametrize(
    "name",
    [
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
        "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model",
        "qwen.tiktoken",
        "chat_template.jinja", "chat_template.json", "additional_chat_templates/tool_use.jinja", "modeling_mine.py",
        "mine/layers.py", "preprocessor_config.json", "adapter_model.safetensors", "quantize_config.json",
    ],
)  # fmt: skip
def test_every_file_that_loading_reads_is_in_the_fingerprint(folder, name):
    (folder / "adapter_config.json").write_text("{}")
    (folder / name).parent.mkdir(exist_ok=True)
    seen = {fingerprint_folder(folder)}
    for content in ("{}", "{ }"):
        if name != "config.json" or content == "{ }":
            (folder / name).write_text(content)
            seen.add(fingerprint_folder(folder))
    assert len(seen) == (2 if name == "config.json" else 3)


def test_each_shard_is_in_the_fingerprint_and_weights_that_the_index_lacks_are_not(folder):
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    save_file({"b": torch.zeros(1)}, folder / "model-2.safetensors")
    index = {"weight_map": {"a.weight": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    before = fingerprint_folder(folder)
    save_file({"b": torch.zeros(1)}, folder / "consolidated.safetensors")
    assert fingerprint_folder(folder) == before
    save_file({"b": torch.ones(1)}, folder / "model-2.safetensors")
    assert fingerprint_folder(folder) != before


@pytest.mark.parametrize(
    "name",
    [
        "README.md", "LICENSE", "LICENSE.txt", ".gitattributes", ".cache/x.py.lock", "picture.png", "pytorch_model.bin",
        "optimizer.pt", "training_args.bin", "trainer_state.json", "original/params.json", "model.gguf",
    ],
)  # fmt: skip
def test_what_loading_does_not_read_is_not_in_the_fingerprint(folder, name):
    before = fingerprint_folder(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("1")
    assert fingerprint_folder(folder) == before


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
