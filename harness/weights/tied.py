"""Which weights of a model are one: a language model's head and its embeddings, as the model's class in transformers
declares."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness._util.json_reading import parse_json
from harness.weights.model_folder import CONFIG


def tied_weights(folder: Path) -> Mapping[str, str]:
    """Returns the names of the parameters that the config of a model folder ties to another, with the other's name.

    Empty where the config ties nothing, cannot be read, or is not of a causal language model of transformers. Imports
    transformers unless the config says that nothing is tied.
    """
    config = _config(folder)
    if config.get("tie_word_embeddings") is False or "model_type" not in config:
        return {}
    return dict(_declared(json.dumps(config, sort_keys=True)))


def may_store_twice(folder: Path, shapes: Collection[tuple[int, ...]]) -> bool:
    """Returns False where tensors of these shapes cannot contain embeddings and a head tied to them: where fewer than
    two have a row per token. Imports nothing."""
    config = _config(folder)
    vocabulary = {**config, **(config.get("text_config") or {})}.get("vocab_size")
    return vocabulary is None or sum(len(shape) == 2 and shape[0] == vocabulary for shape in shapes) > 1


def stored_pairs(tied: Mapping[str, str], stored: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yields the tied weights that are stored in addition to the weight that they are tied to, with both stored names.

    Files of some models have other prefixes than the parameters, so the last two parts of a name decide, if only one
    stored name has them.
    """
    for target, source in tied.items():
        found = [_stored_name(name, stored) for name in (target, source)]
        if found[0] is not None and found[1] is not None and found[0] != found[1]:
            yield found[0], found[1]


def _stored_name(name: str, stored: Collection[str]) -> str | None:
    if name in stored:
        return name
    end = ".".join(name.split(".")[-2:])
    alike = [other for other in stored if other == end or other.endswith(f".{end}")]
    return alike[0] if len(alike) == 1 else None


@lru_cache(maxsize=64)
def _declared(config: str) -> tuple[tuple[str, str], ...]:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    values = json.loads(config)
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(AutoConfig.for_model(values.pop("model_type"), **values))
    except Exception:  # transformers raises many kinds; `check_loads` reports what is wrong with the config
        return ()
    return tuple(model.all_tied_weights_keys.items())


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = parse_json((folder / CONFIG).read_bytes())
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}
