"""lm-eval's model classes for a checkpoint, by the backend of the settings.

The model of the last checkpoint is kept, because its domains are scored in sequence. `release_models` frees its memory,
which a training needs.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

from harness.errors import StepFailed
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.weights.model_folder import weight_files

_loaded: dict[tuple[Any, ...], Any] = {}
"""The model of the last checkpoint, by the state of its files and what else it depends on."""

CHECKPOINT_ARGUMENT = {"hf": "pretrained", "vllm": "pretrained", "sglang": "pretrained", "openai": "model"}
"""The argument of lm-eval's class that names the checkpoint."""


def model_arguments(settings: EvaluationSettings, model: Any, mark: str | None) -> dict[str, Any]:
    """Returns the arguments of the backend's lm-eval class, except `base_url` of a server that the harness starts.

    model: the checkpoint's folder, or for `hf` a loaded model. mark: the end of thinking.
    """
    arguments: dict[str, Any] = {**settings.args, CHECKPOINT_ARGUMENT[settings.backend]: model}
    arguments["batch_size"] = settings.batch_size
    if settings.backend in ("vllm", "openai"):
        arguments["seed"] = settings.seed
    if settings.backend == "sglang":
        arguments["random_seed"] = settings.seed
    if settings.backend == "openai" and not settings.chat_template:
        arguments |= {"tokenizer": model, "tokenizer_backend": "huggingface", "tokenized_requests": False}
    elif mark is not None:
        arguments["think_end_token"] = mark
    return arguments


def model_name(settings: EvaluationSettings) -> str:
    """Returns the name of the backend's class in lm-eval, as for `lm-eval run --model`."""
    if settings.backend == "openai":
        return "local-chat-completions" if settings.chat_template else "local-completions"
    return settings.backend


def language_model(folder: Path, settings: EvaluationSettings, mark: str | None) -> Any:
    """Returns lm-eval's model of the checkpoint in `folder`.

    Raises StepFailed if it has no chat template and the settings ask for it, CheckpointError if it cannot be loaded, or
    the errors of `harness.evaluation.server` for the backend `openai`.
    """
    if settings.chat_template:
        _check_chat_template(folder)
    if settings.backend == "openai":
        from harness.evaluation.api_model import api_model

        return api_model(folder, settings, mark)
    if settings.backend == "hf" and not settings.args:
        return _in_memory(folder, settings, mark)
    state = (*state_of(folder), repr((settings, mark)))
    if state not in _loaded:
        release_models()
        place = {"device": _device()} if settings.backend == "hf" else {}
        _loaded[state] = _model_class(settings)(**(place | model_arguments(settings, str(folder), mark)))
    return _loaded[state]


def release_models() -> None:
    """Frees the memory of the models that are loaded to score checkpoints, and ends the server of this process."""
    from harness.evaluation.own_process import end_own_process
    from harness.evaluation.server import stop_server

    end_own_process()
    stop_server()
    if not _loaded:
        return
    import torch

    _loaded.clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _model_class(settings: EvaluationSettings) -> Any:
    from lm_eval.api.registry import get_model

    return get_model(model_name(settings))


def _in_memory(folder: Path, settings: EvaluationSettings, mark: str | None) -> Any:
    from lm_eval.models.huggingface import HFLM

    from harness.weights.loading import loaded_model, loaded_tokenizer

    state = state_of(folder)
    if state not in _loaded:
        release_models()
        model, tokenizer = loaded_model(folder, dtype="auto"), loaded_tokenizer(folder)
        device = _device()
        _loaded[state] = (model.to(device), tokenizer, device)
    model, tokenizer, device = _loaded[state]
    return HFLM(**model_arguments(settings, model, mark), tokenizer=tokenizer, device=device)


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _check_chat_template(folder: Path) -> None:
    from harness.weights.loading import loaded_tokenizer

    if loaded_tokenizer(folder).chat_template is None:
        raise StepFailed(
            "the tokenizer has no chat template",
            where=str(folder),
            hint="use a model with a chat template, or set `format: plain` for the domain",
        )


def state_of(folder: Path) -> tuple[Any, ...]:
    """Returns the state of the model's files, which changes if another model is written to the same folder."""
    return tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in weight_files(folder))
