"""Adapters in the store: restored on their parent, with an error for a wrong parent."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from training_folder import training_in

from harness import CheckpointError
from harness.testing import tiny_checkpoint
from harness.testing.tiny_world import tiny_domains
from harness.training import PolicyGradientConfig
from harness.weights.model_folder import check_checkpoint
from harness.weights.storage_forms import check_stored, form_of
from harness_algorithms.grpo.algorithm import GRPO


def trained(folder, start, **lora):
    config = PolicyGradientConfig(
        steps=2, prompts_per_step=2, generations=4, learning_rate=1e-2, lora={"rank": 2, "alpha": 4} | lora
    )
    GRPO(config).train(training_in(folder, start, [tiny_domains()["one"]]))
    return folder / "output"


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("start"))


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, start):
    return trained(tmp_path_factory.mktemp("adapter"), start, output="adapter")


def restored(adapter, parent, output):
    output.mkdir()
    form_of(adapter).restore(parent, adapter, output)
    return output


def test_an_adapter_holds_the_changes_only_and_names_no_place(adapter, start):
    assert form_of(adapter).name == "an adapter"
    check_stored(adapter)
    names = {path.name for path in adapter.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= names
    assert not {"config.json", "model.safetensors", "README.md"} & names
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] is None
    text = "".join(path.read_text() for path in adapter.glob("*.json"))
    assert str(start) not in text


def test_restored_weights_are_the_parents_and_the_scaled_product_in_fp32(adapter, start, tmp_path):
    whole = restored(adapter, start, tmp_path / "whole")
    check_checkpoint(whole)
    before, after, low = (
        load_file(folder / name)
        for folder, name in (
            (start, "model.safetensors"), (whole, "model.safetensors"), (adapter, "adapter_model.safetensors")
        )
    )  # fmt: skip
    assert before.keys() == after.keys()
    name = "model.layers.0.self_attn.q_proj"
    a, b = (low[f"base_model.model.{name}.lora_{part}.weight"] for part in "AB")
    assert float((b @ a).abs().sum()) > 0
    assert torch.allclose(after[f"{name}.weight"], before[f"{name}.weight"] + 2.0 * (b @ a), atol=1e-7)
    assert after["model.embed_tokens.weight"].equal(before["model.embed_tokens.weight"])


def test_a_whole_output_is_the_restored_adapter_bit_for_bit(adapter, start, tmp_path):
    whole, again = trained(tmp_path / "full", start, output="full"), restored(adapter, start, tmp_path / "again")
    assert form_of(whole) is None
    assert {path.name for path in whole.iterdir()} == {path.name for path in again.iterdir()}
    for path in whole.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_the_same_training_leaves_the_same_bytes(adapter, start, tmp_path):
    second = trained(tmp_path / "second", start, output="adapter")
    for path in adapter.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_a_model_in_bfloat16_stays_in_it(start, tmp_path):
    from transformers import AutoModelForCausalLM

    output = trained(tmp_path / "half", start, output="adapter")
    (output / "restored.json").write_text('{"dtype": "bfloat16"}')
    whole = restored(output, start, tmp_path / "whole")
    assert {tensor.dtype for tensor in load_file(whole / "model.safetensors").values()} == {torch.bfloat16}
    assert AutoModelForCausalLM.from_pretrained(whole, dtype="auto").dtype == torch.bfloat16


def test_restoring_leaves_the_generator_alone(adapter, start, tmp_path):
    state = torch.get_rng_state()
    restored(adapter, start, tmp_path / "whole")
    assert torch.get_rng_state().equal(state)


@pytest.mark.parametrize("shape", ["other widths", "fewer layers"])
def test_a_parent_of_other_shapes_is_told(adapter, start, tmp_path, shape):
    from transformers import LlamaConfig, LlamaForCausalLM

    changed = {"hidden_size": 32} if shape == "other widths" else {"num_hidden_layers": 1}
    config = LlamaConfig(**(json.loads((start / "config.json").read_text()) | changed))
    LlamaForCausalLM(config).save_pretrained(tmp_path / "parent")
    with pytest.raises(CheckpointError, match="does not fit its base model"):
        restored(adapter, tmp_path / "parent", tmp_path / "whole")


def test_a_torn_adapter_is_told(adapter, tmp_path):
    for name in ("adapter_config.json", "restored.json"):
        (tmp_path / name).write_bytes((adapter / name).read_bytes())
    with pytest.raises(CheckpointError, match=r"no adapter_model\.safetensors"):
        check_stored(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes((adapter / "adapter_model.safetensors").read_bytes()[:-5])
    with pytest.raises(CheckpointError, match="promises"):
        check_stored(tmp_path)
    save_file({"x": torch.zeros(1)}, tmp_path / "adapter_model.safetensors")
    (tmp_path / "restored.json").write_text("{}")
    with pytest.raises(CheckpointError, match="dtype"):
        check_stored(tmp_path)


def test_an_adapter_is_no_base_model(adapter):
    with pytest.raises(CheckpointError, match="holds an adapter and no model: it does not name its base"):
        check_checkpoint(adapter)
