"""lm-eval's classes for OpenAI-compatible servers, with the sampling that lm-eval's task asks for.

lm-eval's own classes send the same seed with every request, so that all items would be sampled with the same random
numbers, and repeats of an item would be equal. They also take a task that samples without a temperature for a greedy
one, and leave the text after a stop string to the server.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import StepFailed
from harness.evaluation.language_models import model_arguments, model_name, state_of
from harness.evaluation.server import check_serves, root_of, server_of
from harness.protocol.backends import is_transformers_serve
from harness.protocol.evaluation_settings import EvaluationSettings

_OF_TRANSFORMERS = ("do_sample", "min_p", "repetition_penalty", "top_k", "typical_p")
"""Settings of a task that `transformers serve` takes as a `generation_config` only."""


def api_model(folder: Path, settings: EvaluationSettings, mark: str | None) -> Any:
    """Returns lm-eval's model that asks a server for the checkpoint in `folder`.

    Starts the server, or checks that the one at `base_url` serves the checkpoint. Raises UsageError or StepFailed.
    """
    from harness.weights.loading import loaded_tokenizer

    if settings.serve:
        server = server_of(state_of(folder), settings.serve, folder)
        root, fate, of_transformers = server.root, server.fate, is_transformers_serve(settings.serve)
    else:
        root = root_of(settings.args["base_url"])
        of_transformers = check_serves(root, folder)

        def fate() -> str:
            return f"the server at {root} stopped answering"

    endpoint = "chat/completions" if settings.chat_template else "completions"
    arguments = model_arguments(settings, str(folder), mark) | {"base_url": f"{root}/{endpoint}"}
    arguments.setdefault("eos_string", loaded_tokenizer(folder).eos_token)  # lm-eval knows no tokenizer for chat
    model = _faithful(model_name(settings))(**arguments)
    model.mark = mark
    model.generation_config = _generation_config(folder) if of_transformers else None
    model.fate = fate
    return model


def _generation_config(folder: Path) -> dict[str, Any]:
    path = folder / "generation_config.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


@cache
def _faithful(name: str) -> Any:
    from lm_eval.api.registry import get_model
    from lm_eval.models.utils import normalize_gen_kwargs, postprocess_generated_text

    class Faithful(get_model(name)):  # type: ignore[misc]
        """generation_config: that of the model, for `transformers serve`; otherwise None. fate: returns what happened
        to a server that does not answer."""

        mark: str | None = None
        generation_config: dict[str, Any] | None = None
        fate: Callable[[], str]

        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self._asked: Counter[str] = Counter()

        def _create_payload(
            self, messages: Any, generate: bool = False, gen_kwargs: Any = None, eos: Any = None, **further: Any
        ) -> dict[str, Any]:
            if not generate:
                return dict(super()._create_payload(messages, generate=False, **further))
            settings = dict(normalize_gen_kwargs(gen_kwargs or {}, self._max_gen_toks))
            further["seed"] = self._seed_of(messages)
            own = {name: settings.pop(name) for name in _OF_TRANSFORMERS if name in settings}
            settings |= {} if self.generation_config is not None else own
            payload = dict(super()._create_payload(messages, generate=True, gen_kwargs=settings, **further))
            if self.generation_config is not None:
                payload["generation_config"] = json.dumps(self.generation_config | own)
            payload["stop"] = [stop for stop in payload.get("stop") or () if stop and stop != self.eos_string]
            if not payload["stop"]:
                del payload["stop"]  # generation ends at the model's own end token
            return payload

        def _seed_of(self, messages: Any) -> int:
            """Returns the seed of a request: another one for each prompt, and for each time it is asked."""
            text = json.dumps(messages, sort_keys=True)
            number = self._asked[text]
            self._asked[text] += 1
            digest = hashlib.sha256(f"{self._seed}:{number}:{text}".encode()).digest()
            return int.from_bytes(digest[:4], "big") >> 1

        def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
            texts = self._told(super().generate_until, requests, disable_tqdm)
            pairs = zip(texts, requests, strict=True)
            return [
                postprocess_generated_text(text, request.args[1].get("until"), self.mark) for text, request in pairs
            ]

        def _loglikelihood_tokens(self, *arguments: Any, **named: Any) -> Any:
            return self._told(super()._loglikelihood_tokens, *arguments, **named)

        def _told(self, ask: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
            import aiohttp
            import requests

            try:
                return ask(*arguments, **named)
            except (requests.RequestException, aiohttp.ClientError, TimeoutError) as error:
                reply = getattr(error, "response", None)
                said = f": {reply.text[:300]}" if reply is not None else f" ({type(error).__name__})"
                raise StepFailed(
                    f"{self.fate()}{said}",
                    hint="the same command goes on: it repeats this score only, with a new server if it starts one",
                ) from error

    return Faithful
