"""Checkpoints kept as a peft adapter: what training adds to its parent, and nothing of the parent.

Beside peft's own two files lie the tokenizer and `restored.json`, which says what dtype the whole model has. The parent
is not named in them: the plan knows it, and a path would be that of one machine.
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
    """Writes the adapter of a peft model to `output`, without the base's name and with every list in one order.

    dtype: of the whole model that it is restored to. weights: the state of the model where its parameters lie apart.
    """
    # peft would look up the base by its path to see whether the embeddings were resized, which nothing here does.
    model.save_pretrained(output, save_embedding_layers=False, state_dict=weights)
    (output / "README.md").unlink(missing_ok=True)  # names the base by its path
    config = parse_json((output / ADAPTER_CONFIG).read_bytes())
    config["base_model_name_or_path"] = None
    for key, value in config.items():
        if isinstance(value, list):  # sets, in an order that changes from process to process
            config[key] = sorted(value)
    (output / ADAPTER_CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (output / _RESTORED).write_text(json.dumps({"dtype": dtype}) + "\n", encoding="utf-8")


def check(folder: Path) -> None:
    """Returns where the adapter in `folder` is whole. Raises CheckpointError."""
    if not (folder / WEIGHTS).is_file():
        raise CheckpointError(f"the adapter has no {WEIGHTS}", where=str(folder), hint="save it with save_pretrained")
    check_safetensors(folder / WEIGHTS)
    _json(folder / ADAPTER_CONFIG)
    _dtype(folder)


def restore(parent: Path, folder: Path, output: Path) -> None:
    """Writes to `output` the model in `parent` with the adapter merged in fp32, in its dtype, with its tokenizer.

    Raises CheckpointError where the adapter is not one of this model.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from transformers import AutoModelForCausalLM

    check(folder)
    base = AutoModelForCausalLM.from_pretrained(parent, dtype=torch.float32)
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        stored = set(file.keys())
    try:
        with torch.random.fork_rng(devices=[]):  # the adapter is drawn before it is read
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
        f"the adapter does not fit the model it is put on ({parent}): {detail}",
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
        raise CheckpointError(f"{path.name} is no JSON object", where=str(path))
    return values
