"""Weights that a config ties to one another, as transformers' classes declare them."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from harness import CheckpointError
from harness.weights import WeightFolder, check_stored_once
from harness.weights.tied import may_store_twice, stored_pairs, tied_weights

GPT2 = {"model_type": "gpt2", "vocab_size": 4, "n_embd": 8, "n_layer": 1, "n_head": 2}
LLAMA = {"model_type": "llama", "vocab_size": 4, "num_hidden_layers": 1}


@pytest.fixture
def folder(tmp_path):
    """Returns a function that writes a model folder."""

    def write(config, tensors=None):
        (tmp_path / "config.json").write_text(json.dumps(config))
        save_file(tensors or {"a": torch.ones(2)}, tmp_path / "model.safetensors")
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("config", "tied"),
    [
        (GPT2, {"lm_head.weight": "transformer.wte.weight"}),  # its class ties by default
        (GPT2 | {"tie_word_embeddings": False}, {}),
        (LLAMA | {"tie_word_embeddings": True}, {"lm_head.weight": "model.embed_tokens.weight"}),
        (LLAMA, {}),
        ({"tie_word_embeddings": True}, {}),
        ({"model_type": "of-tomorrow", "tie_word_embeddings": True}, {}),
    ],
)
def test_what_a_config_ties(folder, config, tied):
    assert tied_weights(folder(config)) == tied


@pytest.mark.parametrize("prefix", ["transformer.", ""])
def test_a_head_that_is_stored_beside_embeddings_of_any_name(folder, prefix):
    embeddings = torch.randn(4, 8)
    head = {"lm_head.weight": embeddings.clone()}
    weights = WeightFolder(folder(GPT2, {f"{prefix}wte.weight": embeddings, **head}))
    assert weights.tied_copies == ("lm_head.weight",)
    assert weights.names() == [f"{prefix}wte.weight"]
    with pytest.raises(CheckpointError, match=rf"lm_head\.weight beside {prefix}wte\.weight"):
        check_stored_once(weights)
    check_stored_once(weights, read_only=True)
    head["lm_head.weight"] += 1
    differing = WeightFolder(folder(GPT2, {f"{prefix}wte.weight": embeddings, **head}))
    assert differing.tied_copies == ()
    with pytest.raises(CheckpointError, match="to which the config ties it"):
        check_stored_once(differing, read_only=True)


def test_names_that_several_tensors_end_with_are_not_guessed():
    tied = {"lm_head.weight": "model.embed_tokens.weight"}
    assert list(stored_pairs(tied, ["lm_head.weight", "text.embed_tokens.weight"])) == [
        ("lm_head.weight", "text.embed_tokens.weight")
    ]
    assert list(stored_pairs(tied, ["lm_head.weight", "a.embed_tokens.weight", "b.embed_tokens.weight"])) == []


def test_models_that_store_one_matrix_of_tokens_are_told_without_transformers(folder):
    path = folder(GPT2, {"transformer.wte.weight": torch.ones(4, 8), "b": torch.ones(8, 4)})
    assert not may_store_twice(path, WeightFolder(path).shapes().values())
    code = (
        "import sys; from pathlib import Path; from harness.weights import WeightFolder;"
        " WeightFolder(Path(sys.argv[1])); print('transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
