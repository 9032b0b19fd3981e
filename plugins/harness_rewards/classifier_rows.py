"""What a sequence-classification model reads of a row: prompt and completion as token ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.domains import prompt_text

Form = Literal["joined", "pair", "completion"]
_NO_LIMIT = 10**9
"""Tokenizers that know no longest row say a number far past this."""


@dataclass(frozen=True)
class Encoded:
    """A row's token ids, and the segment of each where the model tells segments apart."""

    ids: list[int]
    segments: list[int] | None = None


class RowEncoder:
    """Encodes rows for a model. form: both as one text or conversation, as two segments, or the completion alone."""

    def __init__(
        self, tokenizer: Any, *, form: Form, chat_template: str | None, longest: int | None, segments: bool
    ) -> None:
        self._tokenizer = tokenizer
        self._form = form
        self._chat_template = chat_template
        self._longest = longest
        self._segments = segments

    def encode(self, prompt: str | Sequence[Mapping[str, Any]], answer: str) -> Encoded:
        """Returns the row's ids. Raises ValueError with a message for users if the model cannot take it."""
        if self._form == "pair":
            read = self._tokenizer(prompt_text(prompt), answer)
        elif self._form == "completion":
            read = self._tokenizer(answer)
        elif isinstance(prompt, str):
            read = self._closed(prompt + answer)
        else:
            # The template has put the special tokens there.
            read = self._tokenizer(self._conversation(prompt, answer), add_special_tokens=False)
        ids = list(read["input_ids"])
        if not ids:
            raise ValueError("the row has no tokens")
        if self._longest is not None and len(ids) > self._longest:
            raise ValueError(
                f"the row has {len(ids)} tokens, more than the {self._longest} that the reward model takes"
            )
        return Encoded(ids, list(read["token_type_ids"]) if self._segments and "token_type_ids" in read else None)

    def _closed(self, text: str) -> dict[str, Any]:
        """Returns a text's ids, closed by the end of a sequence, which some tokenizers put there themselves."""
        read = dict(self._tokenizer(text))
        end = self._tokenizer.eos_token_id
        if end is not None and (not read["input_ids"] or read["input_ids"][-1] != end):
            read = {name: [*values, values[-1] if values else 0] for name, values in read.items()}
            read["input_ids"][-1] = end
        return read

    def _conversation(self, prompt: Sequence[Mapping[str, Any]], answer: str) -> str:
        if (self._chat_template or self._tokenizer.chat_template) is None:
            raise ValueError("the prompt is messages, and the reward model has no chat template")
        messages = [{"role": message["role"], "content": message["content"]} for message in prompt]
        return str(
            self._tokenizer.apply_chat_template(
                [*messages, {"role": "assistant", "content": answer}],
                chat_template=self._chat_template,
                tokenize=False,
            )
        )


def longest_row(max_length: int | None, model_config: Any, tokenizer: Any) -> int | None:
    """Returns the most tokens that a row may have: of what is set, what the model has positions for, and what its
    tokenizer says; None where nothing bounds it."""
    limits = [max_length, getattr(model_config, "max_position_embeddings", None), tokenizer.model_max_length]
    return min((limit for limit in limits if limit is not None and 0 < limit < _NO_LIMIT), default=None)
