"""Dequantizes the model of a GGUF file with transformers, once, into a model folder in a cache."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import torch

from harness._util.files import atomic_directory, sync
from harness._util.json_reading import parse_json
from harness.errors import CheckpointError
from harness.weights.gguf_file import CONVERSION, gguf_digest, gguf_value
from harness.weights.loading import load_checked
from harness.weights.model_folder import check_checkpoint, hash_checkpoint

_SOURCE = "source.json"
_SPLIT_DIGITS = frozenset({"smollm"})
"""The values of `tokenizer.ggml.pre` whose pre-tokenizer makes each digit a piece of its own. transformers ignores the
field. Source of the pre-tokenizers: llama.cpp, src/llama-vocab.cpp."""


def dequantized(path: Path, dtype: str = "float32") -> Path:
    """Returns a folder with the model of a GGUF file and its tokenizer, as `save_pretrained` writes them.

    dtype: `float32`, or `bfloat16` for a model that was published in it, so that its first training in bf16 does not
    begin with a rounding of all weights. The folder is in the cache of the Hugging Face libraries (`HF_HOME`). It is
    written once, and again if its weights have changed since. Raises CheckpointError if the file is not GGUF,
    transformers cannot read it, or the cache cannot be written.
    """
    from filelock import FileLock
    from huggingface_hub.constants import HF_HOME

    folder = Path(HF_HOME) / "harness" / "gguf" / f"{gguf_digest(path)}-{CONVERSION}-{dtype}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not _is_whole(folder):
                shutil.rmtree(folder, ignore_errors=True)
                _is_whole.cache_clear()
                with atomic_directory(folder) as temporary:
                    _convert(path, temporary, getattr(torch, dtype))
    except OSError as error:
        raise CheckpointError(
            f"the model is dequantized into this cache, which cannot be written: {error.strerror or error}",
            where=str(folder.parent),
            hint="set HF_HOME to a folder that can be written, on a disk with room for 4 bytes per parameter",
        ) from error
    return folder


@cache
def _is_whole(folder: Path) -> bool:
    """Returns whether the weights are those that were written. Reads them once per process."""
    try:
        check_checkpoint(folder)
        return bool(parse_json((folder / _SOURCE).read_bytes())["weights"] == hash_checkpoint(folder))
    except (CheckpointError, OSError, ValueError, KeyError, TypeError):
        return False


def _convert(path: Path, folder: Path, dtype: torch.dtype) -> None:
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise CheckpointError(
            "a GGUF file is read with the package gguf, which is not installed",
            where=str(path),
            hint="pip install 'mdrl-harness[gguf]'",
        ) from error
    try:
        model = load_checked(path.parent, gguf_file=path.name, dtype=torch.float32)
    except CheckpointError as error:
        raise CheckpointError(
            error.message,
            where=str(path),
            hint="the documentation of transformers lists the architectures and quantizations that it reads from GGUF",
        ) from error
    # transformers marks the model as quantized, and then refuses to save it.
    del model.config.quantization_config
    vars(model.config).pop("_model_name_or_path", None)  # the name in the metadata, which is no path
    model.hf_quantizer = None
    model.is_quantized = False
    model.to(dtype).save_pretrained(folder)
    tokenizer = _tokenizer(path)
    if _pre_tokenizer(GGUFReader(path)) in _SPLIT_DIGITS:
        _split_digits(tokenizer)
    tokenizer.save_pretrained(folder)
    source = {"file": path.name, "sha256": gguf_digest(path), "weights": hash_checkpoint(folder)}
    (folder / _SOURCE).write_text(json.dumps(source, indent=1) + "\n", encoding="utf-8")
    for file in folder.iterdir():
        sync(file)


def _tokenizer(path: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    except Exception as error:  # transformers and tokenizers raise many kinds
        raise CheckpointError(
            f"transformers cannot read the tokenizer: {type(error).__name__}: {error}", where=str(path)
        ) from error


def _pre_tokenizer(reader: Any) -> str | None:
    try:
        return str(gguf_value(reader, "tokenizer.ggml.pre"))
    except KeyError:
        return None


def _split_digits(tokenizer: Any) -> None:
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    )
