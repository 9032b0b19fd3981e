"""Models in GGUF files: the weights and the tokenizer of the folder, the cache, and files that cannot be read."""

import json

import numpy as np
import pytest
from gguf_world import HIDDEN, POSITIONS, write_gguf

from harness.errors import CheckpointError
from harness.weights import check_checkpoint, dequantized, gguf_config, gguf_fingerprint, loaded_model
from harness.weights import gguf_conversion as conversion
from harness.weights.folder import WeightFolder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "tiny.gguf"


def test_the_folder_is_a_plain_model_with_the_weights_of_the_file(file):
    tensors = write_gguf(file)
    folder = dequantized(file)
    check_checkpoint(folder)
    weights = WeightFolder(folder)
    for ours, theirs in {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.layers.0.mlp.down_proj.weight": "blk.0.ffn_down.weight",
        "model.layers.0.self_attn.v_proj.weight": "blk.0.attn_v.weight",
        "model.norm.weight": "output_norm.weight",
    }.items():
        assert np.array_equal(weights.read(ours).numpy(), tensors[theirs])
    config = json.loads((folder / "config.json").read_text())
    assert "quantization_config" not in config and config["dtype"] == "float32"
    assert loaded_model(folder, dtype="auto").config.tie_word_embeddings


@pytest.mark.parametrize(
    ("pre", "tokens"), [("smollm", ["ĠĠ", "4", "2"]), ("gpt-2", ["Ġ", "Ġ", "4", "2"])], ids=["digits", "as it is"]
)
def test_numbers_are_split_into_digits_as_the_file_asks(file, pre, tokens):
    from transformers import AutoTokenizer

    write_gguf(file, pre=pre)
    assert AutoTokenizer.from_pretrained(dequantized(file)).tokenize("  42") == tokens


def test_a_file_is_dequantized_once_and_again_if_its_cache_is_damaged(file, monkeypatch):
    write_gguf(file)
    folder = dequantized(file)
    weights = (folder / "model.safetensors").read_bytes()
    with monkeypatch.context() as never:
        never.setattr(conversion, "_convert", lambda path, folder: pytest.fail("converted twice"))
        assert dequantized(file) == folder
    (folder / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    conversion._is_whole.cache_clear()
    assert dequantized(file) == folder
    assert (folder / "model.safetensors").read_bytes() == weights


def test_the_fingerprint_follows_the_content_of_the_file(tmp_path):
    prints = []
    for number, seed in enumerate((0, 0, 1)):
        path = tmp_path / f"{number}.gguf"
        write_gguf(path, seed=seed)
        prints.append(gguf_fingerprint(path))
    assert prints[0] == prints[1] != prints[2]


def test_sizes_are_read_from_the_metadata(file):
    write_gguf(file)
    config = gguf_config(file)
    assert config is not None
    assert (config["hidden_size"], config["max_position_embeddings"]) == (HIDDEN, POSITIONS)
    assert (config["model_type"], config["tie_word_embeddings"]) == ("llama", True)


def test_a_file_of_another_format_is_refused(file):
    file.write_bytes(b"PK\x03\x04")
    with pytest.raises(CheckpointError, match="not a GGUF file") as caught:
        dequantized(file)
    assert caught.value.where == str(file)
    with pytest.raises(CheckpointError, match="No such file"):
        dequantized(file.with_name("missing.gguf"))


def test_an_architecture_that_transformers_does_not_read_is_named(file, cache):
    write_gguf(file, architecture="frog")
    with pytest.raises(CheckpointError, match="frog") as caught:
        dequantized(file)
    assert caught.value.where == str(file)
    assert not [path for path in cache.rglob("*") if path.suffix != ".lock" and path.is_file()]


def test_a_cache_that_cannot_be_written_is_named(file, cache):
    write_gguf(file)
    cache.write_text("a file where the folder should be")
    with pytest.raises(CheckpointError, match="cannot be written") as caught:
        dequantized(file)
    assert caught.value.where.startswith(str(cache)) and "HF_HOME" in caught.value.hint
