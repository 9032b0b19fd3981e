"""A model folder that transformers would load as a different model is refused with the reason."""

import json

import pytest
import torch
from expert_model import expert_checkpoint
from safetensors.torch import load_file, save_file

from harness import CheckpointError
from harness.testing.tiny_world import tiny_checkpoint
from harness.weights.loading import check_finite, check_gradient_names, check_loads, loaded_model, loaded_tokenizer

NAME = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture
def folder(tmp_path):
    return tiny_checkpoint(tmp_path / "model")


def change(folder, edit):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def test_a_whole_model_loads_as_it_was_saved(folder):
    check_loads(folder)
    check_finite(folder)
    model = loaded_model(folder, dtype=torch.bfloat16)
    assert model.dtype == torch.bfloat16
    assert not model.training
    saved = load_file(folder / "model.safetensors")[NAME]
    assert torch.equal(dict(model.named_parameters())[NAME], saved.bfloat16())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda tensors: tensors.pop(NAME), f"1 of the weights .* are missing, such as {NAME}"),
        (
            lambda tensors: tensors.update({NAME: torch.ones(31, 16)}),
            r"has the shape \(31, 16\), .* asks for \(32, 16\)",
        ),
    ],
)
def test_weights_that_are_not_those_of_the_config(folder, edit, message):
    change(folder, edit)
    for load in (check_loads, lambda folder: loaded_model(folder, dtype="auto")):
        with pytest.raises(CheckpointError, match=message):
            load(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers(folder, value):
    change(folder, lambda tensors: tensors[NAME][3].fill_(value))
    check_loads(folder)
    with pytest.raises(CheckpointError, match=f"{NAME} holds {value} at index 48"):
        check_finite(folder)
    with pytest.raises(CheckpointError, match=f"{NAME} holds values that are not finite"):
        loaded_model(folder, dtype="auto")


def test_numbers_whose_sum_overflows_are_numbers(folder):
    change(folder, lambda tensors: tensors[NAME].fill_(3e38))
    check_finite(folder)
    loaded_model(folder, dtype="auto")


def test_a_tokenizer_that_is_missing_or_damaged(folder):
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(CheckpointError, match="the tokenizer cannot be read: "):
        loaded_tokenizer(folder)
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(CheckpointError, match="has no tokenizer"):
        check_loads(folder)


def test_a_config_that_is_damaged_or_not_of_transformers(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({"model_type": "of-tomorrow"}))
    with pytest.raises(CheckpointError, match="transformers cannot load the model"):
        check_loads(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="not JSON"):
        check_loads(folder)
    del config["model_type"]
    (folder / "config.json").write_text(json.dumps(config))
    check_loads(folder)


@pytest.mark.parametrize(("tied", "noise", "refused"), [(True, 0.1, True), (True, 0.0, False), (False, 0.1, False)])
def test_an_output_layer_unlike_its_tied_embeddings_is_refused(folder, tied, noise, refused):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": tied}))

    def output_layer(tensors):
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] + noise

    change(folder, output_layer)
    if refused:
        with pytest.raises(CheckpointError, match=r"lm_head\.weight differs from model\.embed_tokens"):
            check_loads(folder)
    else:
        check_loads(folder)


def test_gradients_fit_the_weights_that_are_stored_as_they_are_loaded(folder):
    check_gradient_names(folder)
    check_gradient_names(folder, [NAME])
    with pytest.raises(CheckpointError, match=r"1 stored weights are no parameters .* rotary\.inv_freq"):
        check_gradient_names(folder, [NAME, "rotary.inv_freq"])


def test_gradients_of_fused_experts_do_not_fit_the_stored_ones(tmp_path):
    folder = expert_checkpoint(tmp_path / "experts")
    check_loads(folder)
    with pytest.raises(CheckpointError, match=r"6 parameters have other names .*\.mlp\.experts\.down_proj"):
        check_gradient_names(folder)
