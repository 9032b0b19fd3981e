"""Whether checkpoints are of one model: the same tensors, shapes, dtypes and tokenizer, nothing stored twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness._util.json_reading import parse_json
from harness.errors import CheckpointError
from harness.weights.folder import EMBEDDINGS, HEAD, WeightFolder, is_tied
from harness.weights.model_folder import CONFIG

_SAME_BASE = "both must come from the same base model"


def check_same_tensors(first: WeightFolder, second: WeightFolder, *, dtypes: bool = False) -> None:
    """Raises CheckpointError where the two models have not the same tensors of the same shapes; with `dtypes`, also
    where they are not of the same dtypes."""
    where = f"{first.folder} and {second.folder}"
    only_first, only_second = set(first.names()) - set(second.names()), set(second.names()) - set(first.names())
    if only_first or only_second:
        example = sorted(only_first or only_second)[0]
        head = (only_first | only_second) == {"lm_head.weight"}
        raise CheckpointError(
            f"the checkpoints have different tensors ({len(only_first)} only in the first, {len(only_second)} only in"
            f" the second, such as {example})",
            where=where,
            hint="one stores a head that is tied to the embeddings: save both with save_pretrained of one transformers"
            if head
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
                f"{name} is of {first.dtype(name)} in one checkpoint and of {second.dtype(name)} in the other",
                where=where,
                hint="train the steps of a method in one dtype, or save both checkpoints in the same",
            )


def check_same_tokenizer(first: WeightFolder, second: WeightFolder) -> None:
    """Raises CheckpointError where the two models' tokenizers give a text other tokens.

    Compares vocabulary, merges, added tokens and what is done to the text; not padding and truncation, which trainers
    set. A model without a tokenizer.json is not compared.
    """
    one, other = (_tokenizer(folder.folder) for folder in (first, second))
    if one is None or other is None:
        return
    differing = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    if differing:
        raise CheckpointError(
            f"the checkpoints have different tokenizers: their {', '.join(differing)} differ",
            where=f"{first.folder} and {second.folder}",
            hint="the same row of the embeddings would mean different tokens; both must come from the same base model",
        )


def check_stored_once(model: WeightFolder, *, read_only: bool = False) -> None:
    """Raises CheckpointError where the head is stored although the config ties it to the embeddings, and where the
    config is no JSON.

    Loading takes one of the two for both, so what is done to the other is lost. read_only: a copy that is the same byte
    for byte is let pass, since nothing is done to either.
    """
    _json(model.folder / CONFIG)
    embeddings = [name for name in model.names() if name.endswith(EMBEDDINGS)]
    copied = model.tied_copy is not None and not read_only
    if copied or (HEAD in model.names() and embeddings and is_tied(model.folder)):
        raise CheckpointError(
            f"the weights hold {HEAD} beside {embeddings[0]}, to which the config ties it",
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
        raise CheckpointError("the file is no JSON", where=str(path), hint="fetch or save the model again") from error
    return read if isinstance(read, dict) else {}
