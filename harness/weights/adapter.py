"""Stores a checkpoint as a peft adapter on its parent.

The folder holds peft's two files, the tokenizer, and `restored.json` with the dtype of the restored model. It does not
name the parent: the plan does, and a path would hold on one machine only.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from harness._util.json_reading import parse_json
from harness.errors import CheckpointError
from harness.weights.model_folder import ADAPTER_CONFIG, check_safetensors

WEIGHTS = "adapter_model.safetensors"
_RESTORED = "restored.json"
_OWN = frozenset({ADAPTER_CONFIG, WEIGHTS, _RESTORED})


def write_adapter(model: Any, output: Path, *, dtype: str, weights: dict[str, torch.Tensor] | None = None) -> None:
    """Writes the adapter of a peft model to `output`, without the base's name and with sorted lists, so that equal
    adapters have equal bytes.

    dtype: of the restored model. weights: the model's state dict where its parameters are sharded.
    """
    # Without this flag peft would load the base by its path to see whether the embeddings were resized.
    model.save_pretrained(output, save_embedding_layers=False, state_dict=weights)
    (output / "README.md").unlink(missing_ok=True)  # it names the base by its path
    config = parse_json((output / ADAPTER_CONFIG).read_bytes())
    config["base_model_name_or_path"] = None
    for key, value in config.items():
        if isinstance(value, list):  # from sets, whose order differs between processes
            config[key] = sorted(value)
    (output / ADAPTER_CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (output / _RESTORED).write_text(json.dumps({"dtype": dtype}) + "\n", encoding="utf-8")


def check(folder: Path) -> None:
    """Raises CheckpointError if the adapter in `folder` is incomplete."""
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"the adapter has no {WEIGHTS}", where=str(folder), hint="save it with save_pretrained")
    check_safetensors(folder / WEIGHTS)
    _json(folder / ADAPTER_CONFIG)
    _dtype(folder)


def restore(parent: Path, folder: Path, output: Path) -> None:
    """Writes the model in `parent` with the adapter merged to `output`, with the adapter's tokenizer.

    Merged in fp32, then converted to the dtype in `restored.json`. Raises CheckpointError if the adapter does not
    fit the model.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from transformers import AutoModelForCausalLM

    check(folder)
    base = AutoModelForCausalLM.from_pretrained(parent, dtype=torch.float32)
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        stored = set(file.keys())
    try:
        with torch.random.fork_rng(devices=[]):  # peft initializes the adapter at random before it reads it
            model = PeftModel.from_pretrained(base, folder, torch_device="cpu")
    except (RuntimeError, ValueError, KeyError) as error:
        raise _misfit(parent, folder, str(error).strip().splitlines()[-1].strip()) from error
    differing = sorted(stored ^ set(get_peft_model_state_dict(model, save_embedding_layers=False)))
    if differing:
        raise _misfit(parent, folder, f"{differing[0]} is in one of them only")
    merged = model.merge_and_unload().to(_dtype(folder))
    merged.save_pretrained(output)
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in _OWN:
            shutil.copy2(path, output / path.name)


def _misfit(parent: Path, folder: Path, detail: str) -> CheckpointError:
    return CheckpointError(
        f"the adapter does not fit its base model ({parent}): {detail}",
        where=str(folder),
        hint="it belongs to another base model; remove the step's result and run again",
    )


def _dtype(folder: Path) -> torch.dtype:
    value = getattr(torch, str(_json(folder / _RESTORED).get("dtype")), None)
    if not isinstance(value, torch.dtype):
        raise CheckpointError(f"{_RESTORED} names no dtype", where=str(folder))
    return value


def _json(path: Path) -> dict[str, Any]:
    try:
        values = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path.name} cannot be read", where=str(path)) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path.name} is not a JSON object", where=str(path))
    return values
