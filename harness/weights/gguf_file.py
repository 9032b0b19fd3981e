"""What a GGUF file holds, read without torch: the fingerprint of its model, and the sizes in its metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError

CONVERSION = 1
"""Increased by changes of `harness.weights.gguf_conversion` that change the converted model."""
_MAGIC = b"GGUF"
_SIZES = {
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_hidden_layers": "block_count",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "max_position_embeddings": "context_length",
    "vocab_size": "vocab_size",
}
"""The keys of a config.json, each with the key of a GGUF file's metadata that follows the architecture's name."""


def gguf_fingerprint(path: Path, dtype: str = "float32") -> str:
    """Returns a string that changes with the converted model: the sha256 of the GGUF file, the version of the
    conversion, and its precision unless it is fp32. Raises CheckpointError if the file is missing or not GGUF."""
    precision = "" if dtype == "float32" else f", {dtype}"
    return f"gguf {gguf_digest(path)}, conversion {CONVERSION}{precision}"


@cache
def gguf_digest(path: Path) -> str:
    """Returns the sha256 of a GGUF file, read once per process. Raises CheckpointError as `gguf_fingerprint`."""
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise CheckpointError("this is not a GGUF file", where=str(path), hint="name the model's .gguf file")
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}", where=str(path)) from error


def gguf_config(path: Path) -> Mapping[str, Any] | None:
    """Returns the sizes of the model in a GGUF file, with the keys of a config.json; None if they cannot be read."""
    try:
        from gguf import GGUFReader

        reader = GGUFReader(path)
        architecture = gguf_value(reader, "general.architecture")
        sizes = {name: gguf_value(reader, f"{architecture}.{key}") for name, key in _SIZES.items()}
        tied = all(tensor.name != "output.weight" for tensor in reader.tensors)
    except (ImportError, KeyError, ValueError, OSError, IndexError):
        return None
    return {**sizes, "model_type": architecture, "tie_word_embeddings": tied, "dtype": "float32"}


def gguf_value(reader: Any, key: str) -> Any:
    """Returns a value of a GGUF file's metadata. Raises KeyError if it has none of this key."""
    return reader.fields[key].contents()
