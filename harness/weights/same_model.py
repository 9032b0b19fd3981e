"""Checks that checkpoints are of one model: same tensors, shapes, dtypes and tokenizer, tied weights stored once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness._util.json_reading import parse_json
from harness.errors import CheckpointError
from harness.weights.folder import WeightFolder
from harness.weights.model_folder import CONFIG
from harness.weights.tied import stored_pairs, tied_weights

_SAME_BASE = "both must come from the same base model"


def check_same_tensors(first: WeightFolder, second: WeightFolder, *, dtypes: bool = False) -> None:
    """Raises CheckpointError if tensors or shapes of the two models differ; with `dtypes`, also if dtypes differ."""
    where = f"{first.folder} and {second.folder}"
    only_first, only_second = set(first.names()) - set(second.names()), set(second.names()) - set(first.names())
    if only_first or only_second:
        example = sorted(only_first or only_second)[0]
        both = {*first.names(), *second.names()}
        tied = {name for folder in (first, second) for name, _ in stored_pairs(tied_weights(folder.folder), both)}
        raise CheckpointError(
            f"the checkpoints have different tensors ({len(only_first)} only in the first, {len(only_second)} only in"
            f" the second, such as {example})",
            where=where,
            hint="one stores a head that is tied to the embeddings: save both with the same version of transformers"
            if only_first | only_second <= tied
            else _SAME_BASE,
        )
    for name in first.names():
        if first.shape(name) != second.shape(name):
            raise CheckpointError(
                f"{name} has the shape {first.shape(name)} in one checkpoint and {second.shape(name)} in the other",
                where=where,
                hint=_SAME_BASE,
            )
        if dtypes and first.dtype(name) != second.dtype(name):
            raise CheckpointError(
                f"{name} has the dtype {first.dtype(name)} in one checkpoint and {second.dtype(name)} in the other",
                where=where,
                hint="train the steps of a method in one dtype, or save both checkpoints in the same",
            )


def check_same_tokenizer(first: WeightFolder, second: WeightFolder) -> None:
    """Raises CheckpointError if the two models' tokenizers split a text differently.

    Compares the model, added tokens, normalizer and pre-tokenizer of tokenizer.json; not padding and truncation, which
    trainers set. Does nothing where a folder has no tokenizer.json.
    """
    one, other = (_tokenizer(folder.folder) for folder in (first, second))
    if one is None or other is None:
        return
    differing = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    if differing:
        raise CheckpointError(
            f"the checkpoints have different tokenizers: their {', '.join(differing)} differ",
            where=f"{first.folder} and {second.folder}",
            hint="a row of the embeddings would stand for different tokens; both must come from the same base model",
        )


def check_stored_once(model: WeightFolder, *, read_only: bool = False) -> None:
    """Raises CheckpointError if a weight is stored although the config ties it to another one, such as the head to
    the embeddings, or where the config is not JSON.

    transformers loads one of the two and uses it for both, so a change of the other would be lost. read_only: allows a
    head that equals the embeddings byte for byte, since neither is changed.
    """
    _json(model.folder / CONFIG)
    stored = model if read_only else WeightFolder(model.folder, copies=True)
    for target, source in stored.tied_pairs():
        raise CheckpointError(
            f"the weights hold {target} beside {source}, to which the config ties it",
            where=str(model.folder),
            hint="load the model and save it again with save_pretrained, which stores tied weights once",
        )


def _tokenizer(folder: Path) -> dict[str, Any] | None:
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    read = _json(path)
    return {key: read[key] for key in ("model", "added_tokens", "normalizer", "pre_tokenizer") if key in read}


def _json(path: Path) -> dict[str, Any]:
    try:
        read = parse_json(path.read_bytes())
    except ValueError as error:
        raise CheckpointError("the file is not JSON", where=str(path), hint="fetch or save the model again") from error
    return read if isinstance(read, dict) else {}
