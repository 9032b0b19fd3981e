"""The facts about the base model that checks before a run need: its tokenizer and its maximum sequence length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from harness._util.json_reading import parse_json
from harness.domains.data.messages import is_chat
from harness.weights.model_folder import CONFIG


class BaseModelFacts:
    """The tokenizer and the limits of the model in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def tokenizer(self) -> Any:
        from harness.weights.loading import loaded_tokenizer

        return loaded_tokenizer(self.folder)

    @cached_property
    def longest(self) -> int | None:
        """The maximum sequence length in tokens from the model's config, None if it is not set."""
        config = parse_json((self.folder / CONFIG).read_bytes())
        found = {**config, **(config.get("text_config") or {})}.get("max_position_embeddings")
        return found if isinstance(found, int) and found > 0 else None

    def takes(self, prompts: Sequence[Any]) -> bool:
        """Returns whether the prompts are text or the tokenizer has a chat template."""
        return self.tokenizer.chat_template is not None or not any(map(is_chat, prompts))

    def ids(self, prompts: Sequence[Any]) -> list[list[int]]:
        """Returns the tokens of each prompt, as in training."""
        from harness.training.sampling import prompt_ids

        return prompt_ids(self.tokenizer, prompts, {})

    def unknown_share(self, prompts: Sequence[list[int]]) -> float:
        """Returns which share of the tokens of all prompts are the tokenizer's token for what it does not know; a
        prompt of no tokens at all counts as one such token."""
        unknown = self._unknown()
        total = sum(max(1, len(row)) for row in prompts)
        return sum(sum(token in unknown for token in row) + (not row) for row in prompts) / total if total else 0.0

    def _unknown(self) -> set[int]:
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        named = getattr(getattr(backend, "model", None), "unk_token", None)
        found = {self.tokenizer.unk_token_id, backend.token_to_id(named) if backend is not None and named else None}
        return {token for token in found if token is not None}
