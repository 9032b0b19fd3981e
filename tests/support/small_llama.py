"""The config.json of a small Llama: 1160 parameters, 1080 of them multiplied, by tests/planning/test_model_shape.py."""

SMALL_LLAMA = {
    "model_type": "llama",
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 10,
}
