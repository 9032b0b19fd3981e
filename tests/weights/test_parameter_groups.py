"""Groups of parameters, compared with the module classes and the outputs of each architecture's model."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from harness import CheckpointError
from harness.weights import (
    WeightFolder,
    group_parameters,
    is_norm,
    mlp_channels,
    parameter_group,
    write_patched,
)

LAYERS, CHANNELS = 2, 12
SMALL = {"vocab_size": 16, "hidden_size": 8, "num_hidden_layers": LAYERS, "num_attention_heads": 2}
SMALL |= {"bos_token_id": 0, "eos_token_id": 1}
LLAMA = {**SMALL, "num_key_value_heads": 1, "intermediate_size": CHANNELS}
MOE = {"moe_intermediate_size": CHANNELS, "num_experts": 3, "num_experts_per_tok": 2}
ARCHITECTURES = {
    "gpt2": {
        "vocab_size": 16, "n_embd": 8, "n_layer": LAYERS, "n_head": 2, "n_inner": CHANNELS, "n_positions": 16,
        "bos_token_id": 0, "eos_token_id": 1,
    },
    "gpt_neox": {**SMALL, "intermediate_size": CHANNELS},
    "llama": {**LLAMA, "mlp_bias": True, "attention_bias": True},
    "mistral": LLAMA,
    "qwen2": LLAMA,
    "qwen3": {**LLAMA, "head_dim": 4},
    "mixtral": {**LLAMA, "num_local_experts": 3},
    "qwen2_moe": {**LLAMA, **MOE, "shared_expert_intermediate_size": CHANNELS},
    "qwen3_moe": {**LLAMA, **MOE, "head_dim": 4},
}  # fmt: skip


@pytest.fixture(autouse=True)
def quiet():
    logging.set_verbosity_error()


def built(kind, device="cpu"):
    with torch.random.fork_rng(devices=[]), torch.device(device):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **ARCHITECTURES[kind]))
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):  # zero at first, so that nothing would be seen of them
                torch.nn.init.normal_(parameter)
    return model.eval()


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_each_parameter_is_in_its_layer_or_outside(kind):
    model = built(kind, "meta")
    [layers] = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList) and len(module) == 2]
    inside = {id(p): f"layers.{index}" for index, layer in enumerate(layers) for p in layer.parameters()}
    groups = group_parameters(dict(model.named_parameters()))
    for name, parameter in model.named_parameters():
        assert groups[name].layer == inside.get(id(parameter)), name
        assert groups[name].module.startswith(groups[name].layer or ""), name
    assert {group.layer for group in groups.values()} == {"layers.0", "layers.1", None}


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_norms_embeddings_and_head_are_those_of_the_model(kind):
    model = built(kind, "meta")
    kinds = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            kinds.setdefault(id(parameter), type(module).__name__)  # a tied head comes after the embeddings
    for name, parameter in model.named_parameters():
        assert is_norm(name) == ("Norm" in kinds[id(parameter)]), name
        group = parameter_group(name)
        assert (group.function == "embeddings") == (kinds[id(parameter)] == "Embedding"), name
        assert group.function.endswith("norms") == (is_norm(name) and "attn" not in name and group.layer is not None)
    if not model.config.tie_word_embeddings:
        [head] = [name for name, p in model.named_parameters() if p is model.get_output_embeddings().weight]
        assert parameter_group(head).function == "lm_head"


def without_channel(source, output, axes, *, projections_out):
    """Writes the model with the second channel of every MLP set to zero in the projections into it, or out of it."""

    def patch(name, tensor):
        axis = axes.get(name)
        if axis is not None and axis.output == projections_out:
            tensor = tensor.index_fill(axis.axis, torch.tensor([1]), 0.0)
        return tensor

    output.mkdir()
    write_patched(WeightFolder(source), output, patch)
    return output


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_a_channel_is_switched_off_by_its_inputs_as_by_its_outputs(kind, tmp_path):
    built(kind).save_pretrained(tmp_path / "model")
    axes = mlp_channels(WeightFolder(tmp_path / "model").shapes())
    assert {axis.channels for axis in axes.values()} == {CHANNELS}
    folders = [
        tmp_path / "model",
        without_channel(tmp_path / "model", tmp_path / "in", axes, projections_out=False),
        without_channel(tmp_path / "model", tmp_path / "out", axes, projections_out=True),
    ]
    tokens = torch.arange(12).unsqueeze(0)
    with torch.no_grad():
        whole, inputs, outputs = (
            AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(tokens).logits for folder in folders
        )
    assert torch.allclose(inputs, outputs, rtol=0, atol=1e-6)
    assert not torch.allclose(whole, inputs, rtol=0, atol=1e-5)


def test_experts_have_channels_of_their_own_and_routers_none(tmp_path):
    built("qwen2_moe").save_pretrained(tmp_path / "model")
    axes = mlp_channels(WeightFolder(tmp_path / "model").shapes())
    experts = [f"model.layers.{layer}.mlp.{part}" for layer in range(LAYERS) for part in ("shared_expert", *EXPERTS)]
    assert {axis.mlp for axis in axes.values()} == set(experts)
    assert not [name for name in axes if "gate.weight" in name]


EXPERTS = [f"experts.{index}" for index in range(3)]
MLP = "model.layers.0.mlp."


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"model.layers.0.self_attn.q_proj.weight": (8, 8)}, "no neurons"),
        ({MLP + "gate_up_proj.weight": (24, 8), MLP + "down_proj.weight": (8, 12)}, "gate_up_proj.weight of shape"),
        ({MLP + "experts.gate_up_proj": (3, 24, 8), MLP + "shared_expert.up_proj.weight": (12, 8)}, "experts.gate_up"),
        ({MLP + "up_proj.weight": (12, 8), MLP + "down_proj.weight": (8, 11)}, "mlp differ in their number"),
        # GPT-Neo has GPT-2's names and stores them the other way round.
        ({"h.0.mlp.c_fc.weight": (32, 8), "h.0.mlp.c_fc.bias": (32,)}, "mlp differ in their number"),
    ],
)
def test_an_mlp_that_is_unknown_is_an_error(shapes, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        mlp_channels(shapes)
    assert "GPT-NeoX" in caught.value.hint


def test_a_model_without_numbered_layers_is_an_error():
    with pytest.raises(CheckpointError, match=r"such as encoder\.first\.weight"):
        group_parameters(["encoder.first.weight", "encoder.second.weight"])


@given(st.integers(0, 200), st.sampled_from(["model.", "", "transformer.", "base_model.model.model.", "module."]))
def test_wrappers_change_no_group(index, wrapper):
    name = f"layers.{index}.mlp.up_proj.weight"
    assert parameter_group(wrapper + name) == parameter_group(name)
