"""Parameters and operations from config.json alone, against transformers' own models and against published counts."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_llama import SMALL_LLAMA
from transformers import AutoConfig, AutoModelForCausalLM

from harness.planning.model_shape import EXACT, ModelShape, shape_of
from harness_models.pretrained.model import Pretrained, PretrainedConfig
from harness_models.pretrained.published import PUBLISHED


def counted_by_transformers(config):
    kind = AutoConfig.for_model(**config)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(kind)
    return sum(parameter.numel() for parameter in model.parameters())  # tied ones are one


sizes = st.fixed_dictionaries(
    {
        "model_type": st.sampled_from(sorted(EXACT)),
        "intermediate_size": st.integers(1, 40),
        "num_hidden_layers": st.integers(1, 3),
        "vocab_size": st.integers(4, 50),
        "tie_word_embeddings": st.booleans(),
        "head_dim": st.sampled_from([2, 4, 8]),
        "attention_bias": st.booleans(),
        "mlp_bias": st.booleans(),
    }
)


@settings(max_examples=60, deadline=None)
@given(sizes, st.sampled_from([(4, 1), (4, 2), (4, 4)]), st.integers(1, 4))
def test_the_known_families_are_counted_to_the_last_parameter(config, heads, width):
    whole = {
        "num_attention_heads": heads[0],
        "num_key_value_heads": heads[1],
        "hidden_size": 8 * width,
        "pad_token_id": None,
        **config,
    }
    shape = shape_of(whole)
    assert shape.exact
    assert shape.parameters == counted_by_transformers(whole)


def test_parameters_and_operations_worked_by_hand():
    # A layer: queries 8·8, keys and values 8·4 each, output 8·8: 192; feed-forward 3·8·12 = 288; norms 2·8 = 16.
    # Two layers and the last norm: 2·496 + 8 = 1000; the output head 10·8 = 80; an embedding of its own 80.
    shape = shape_of(SMALL_LLAMA)
    assert shape == ModelShape(parameters=1160, multiplied=1080, layers=2, attention_width=8)
    assert shape_of({**SMALL_LLAMA, "tie_word_embeddings": True}).parameters == 1080
    # 5 tokens: 2·5·1080 for the weights; 2·2 layers·5·8 = 160 a token for attention.
    assert shape.forward_flops(5) == 10_800 + 800


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Qwen/Qwen3-4B-Thinking-2507", 4_022_468_096),
        ("Qwen/Qwen2.5-7B", 7_615_616_512),
        ("meta-llama/Llama-3.1-8B", 8_030_261_248),
    ],
)
def test_the_packaged_models_have_their_published_sizes(name, parameters):
    shape = shape_of(PUBLISHED[name])
    assert (shape.parameters, shape.dtype, shape.exact) == (parameters, "bfloat16", True)
    assert parameters == counted_by_transformers(PUBLISHED[name])


def test_other_families_are_counted_as_llamas_and_say_so():
    shape = shape_of({**SMALL_LLAMA, "model_type": "olmo9"})
    assert (shape.parameters, shape.exact) == (1160, False)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {**SMALL_LLAMA, "num_experts": 8},
        {**SMALL_LLAMA, "quantization_config": {"bits": 4}},
        {**SMALL_LLAMA, "hidden_size": None},
        {**SMALL_LLAMA, "vocab_size": "many"},
        {**SMALL_LLAMA, "num_hidden_layers": 0},
        {"model_type": "gpt2", "n_embd": 8},
    ],
)
def test_what_is_no_dense_decoder_has_no_shape(config):
    assert shape_of(config) is None


def test_a_pretrained_model_tells_its_config_without_the_network(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))

    def told(name):
        return Pretrained(PretrainedConfig(pretrained=name)).config_json()

    local = tmp_path / "local"
    local.mkdir()
    assert told(str(local)) is None
    (local / "config.json").write_text(json.dumps(SMALL_LLAMA))
    assert told(str(local)) == SMALL_LLAMA
    assert told("somebody/unknown") is None
    assert told("not a/name/of the hub") is None
    assert told("Qwen/Qwen2.5-7B") == PUBLISHED["Qwen/Qwen2.5-7B"]

    cached = tmp_path / "hub" / "models--somebody--unknown"
    (cached / "snapshots" / "abc").mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    (cached / "snapshots" / "abc" / "config.json").write_text(json.dumps(SMALL_LLAMA))
    assert told("somebody/unknown") == SMALL_LLAMA
