"""Loads models and tokenizers with transformers, and checks that the loaded model is the one that was saved.

transformers initializes missing weights at random and only logs it, so scores would be those of another model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from harness._util.json_reading import parse_json
from harness.errors import CheckpointError
from harness.weights.folder import WeightFolder
from harness.weights.model_folder import CONFIG
from harness.weights.scores import all_finite, refuse_not_finite
from harness.weights.stream import Stream
from harness.weights.tied import stored_pairs

_SAVE_AGAIN = "save the model again with save_pretrained, or fetch it again"


def loaded_model(folder: Path, *, dtype: torch.dtype | str) -> Any:
    """Returns the causal language model in `folder`, on the CPU and in evaluation mode.

    dtype: `auto` for the dtype of the files. Raises CheckpointError if a weight is missing, NaN or infinite, or has
    another shape than the config asks for, and where transformers cannot read the folder.
    """
    model = load_checked(folder, dtype=dtype).eval()
    for name, values in model.named_parameters():
        if values.is_floating_point() and not all_finite(values):
            raise CheckpointError(
                f"{name} holds values that are not finite",
                where=str(folder),
                hint="the training that wrote it diverged; nothing can be computed from such weights",
            )
    return model


def loaded_tokenizer(folder: Path, **settings: Any) -> Any:
    """Returns the tokenizer in `folder`. Raises CheckpointError if it is missing or cannot be read."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, **settings)
    except Exception as error:  # transformers and tokenizers raise many kinds
        there = any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json"))
        raise CheckpointError(
            f"the tokenizer cannot be read: {_last_line(error)}" if there else "the folder has no tokenizer",
            where=str(folder),
            hint="save it into the model's folder with the tokenizer's save_pretrained",
        ) from error


def check_loads(folder: Path) -> None:
    """Raises CheckpointError if transformers cannot load a model and a tokenizer from `folder`.

    Reads no weights but tied embeddings. Does nothing where the config names no `model_type`: such a model is not
    transformers', so what its folder should hold is unknown.
    """
    if "model_type" in _config(folder):
        _refuse_unlike_tied(load_checked(folder, dtype="auto", device_map="meta"), folder)
        loaded_tokenizer(folder)


def check_gradient_names(folder: Path, names: Collection[str] | None = None) -> None:
    """Raises CheckpointError if gradients cannot be assigned to the stored weights of `folder` by name.

    Gradients have the names of the loaded parameters. transformers fuses the experts of some models while loading, and
    their files hold one weight per expert. names: the stored weights that need a gradient; None for those of all
    parameters. Reads no weights. Does nothing where the config names no `model_type`.
    """
    if "model_type" not in _config(folder):
        return
    model = load_checked(folder, dtype="auto", device_map="meta")
    loaded = {name for name, _ in model.named_parameters()}
    stored = WeightFolder(folder).names()
    if unstored := sorted(loaded.difference(stored)):
        raise CheckpointError(
            f"{len(unstored)} parameters have other names in the files than in the loaded model, such as {unstored[0]}:"
            " their gradients cannot be assigned to the stored weights",
            where=str(folder),
            hint="transformers fuses the weights of experts while it loads them; use what needs no gradients",
        )
    if unloaded := sorted(set(names or ()).difference(loaded)):
        raise CheckpointError(
            f"{len(unloaded)} stored weights are no parameters of the model, such as {unloaded[0]}: they have no"
            " gradient",
            where=str(folder),
            hint="exclude them, or use what needs no gradients",
        )


def check_finite(folder: Path, *, model: bool = True) -> None:
    """Reads all weights of `folder` and raises CheckpointError for the first that is NaN or infinite.

    model: False for a folder of tensors that is not a model.
    """
    weights = WeightFolder(folder, model=model)
    names = [name for name in weights.names() if weights.dtype(name).is_floating_point]
    for chunk, (values,) in Stream([weights], names) if names else ():
        refuse_not_finite(values, folder, chunk)


def load_checked(folder: Path, **settings: Any) -> Any:
    """Returns the causal language model in `folder`, with the settings of `from_pretrained`. Raises CheckpointError if
    transformers cannot read it, or weights are missing or have other shapes. Reads no values."""
    from transformers import AutoModelForCausalLM

    try:
        with _quietly():
            model, found = AutoModelForCausalLM.from_pretrained(
                folder, output_loading_info=True, ignore_mismatched_sizes=True, **settings
            )
    except Exception as error:  # transformers and safetensors raise many kinds
        raise CheckpointError(
            f"transformers cannot load the model: {_last_line(error)}", where=str(folder), hint=_SAVE_AGAIN
        ) from error
    _refuse_differing(found, folder)
    return model


@contextmanager
def _quietly() -> Iterator[None]:
    """Keeps transformers from printing a progress bar, and a table of what is raised as an error here."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _refuse_differing(found: Mapping[str, Any], folder: Path) -> None:
    missing = sorted(found["missing_keys"])
    if missing:
        raise CheckpointError(
            f"{len(missing)} of the weights that the config asks for are missing, such as {missing[0]}",
            where=str(folder),
            hint=f"transformers would initialize them at random; {_SAVE_AGAIN}",
        )
    for name, stored, required in sorted(found["mismatched_keys"]):
        raise CheckpointError(
            f"{name} has the shape {tuple(stored)}, but the config asks for {tuple(required)}",
            where=str(folder),
            hint=f"the weights and {CONFIG} belong to different models; {_SAVE_AGAIN}",
        )


def _refuse_unlike_tied(model: Any, folder: Path) -> None:
    """Raises CheckpointError if the config ties a weight to another one, such as the output layer to the embeddings,
    and the files hold two different tensors: which of them is used depends on the version of the library."""
    weights = WeightFolder(folder)
    for target, source in stored_pairs(model.all_tied_weights_keys, weights.names()):
        if not torch.equal(weights.read(target), weights.read(source)):
            raise CheckpointError(
                f"{target} differs from {source}, and the config ties the two (tie_word_embeddings)",
                where=str(folder),
                hint=f"set tie_word_embeddings to false in {CONFIG} if {target} is a weight of its own, or save the"
                " model again without it",
            )


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        read = parse_json((folder / CONFIG).read_bytes())
    except ValueError as error:
        raise CheckpointError("the file is not JSON", where=str(folder / CONFIG), hint=_SAVE_AGAIN) from error
    return read if isinstance(read, dict) else {}


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1].strip()}" if lines else type(error).__name__
