"""Finds the end of a sampled completion: an end-of-sequence token or a stop text.

TRL only supports end tokens. transformers stops at texts but pads each row to the longest of its batch, and TRL would
train on that padding. The rows are therefore cut here, before TRL sees them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from harness.domains.completions import THINK_START, whole_completion


def generation_settings(passed: Mapping[str, Any], stop: Sequence[str]) -> dict[str, Any]:
    """Returns the TRL fields `passed`, with the texts `stop` added for the generation backend."""
    if not stop:
        return dict(passed)
    name = "stop" if passed.get("use_vllm") else "stop_strings"
    return {**passed, "generation_kwargs": {**(passed.get("generation_kwargs") or {}), name: list(stop)}}


def text_for_reward(prompt: Any, completion: str, endings: Endings | None, *, chat_opens_thinking: bool) -> str:
    """Returns a completion's text up to its end, with the start of a thought that the prompt opened prepended.

    chat_opens_thinking: whether the chat template ends prompts with an opening thinking tag.
    """
    text = completion if endings is None else endings.text(completion)
    if isinstance(prompt, str):
        return whole_completion(prompt, text)
    return whole_completion(THINK_START, text) if chat_opens_thinking else text


class Endings:
    """Finds where token ids and texts end. end_tokens: the ids that end a sequence."""

    def __init__(self, tokenizer: Any, end_tokens: Collection[int], stop: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._end_tokens = frozenset(end_tokens)
        self._stop = tuple(stop)

    def cut(self, tokens: Sequence[int]) -> list[int]:
        """Returns the ids up to and including the one that completes the first stop text, without padding.

        The ids of the stop text are kept, because the model sampled them like an end token.
        """
        kept = list(tokens)
        pad = self._tokenizer.pad_token_id
        while len(kept) > 1 and kept[-1] == pad and pad not in self._end_tokens:
            kept.pop()
        if not self._stops_in(kept):
            return kept
        shortest, longest = 1, len(kept)
        while shortest < longest:
            middle = (shortest + longest) // 2
            if self._stops_in(kept[:middle]):
                longest = middle
            else:
                shortest = middle + 1
        return kept[:shortest]

    def truncated(self, tokens: Sequence[int]) -> bool:
        """Returns whether a completion was cut at the maximum length."""
        return not tokens or (tokens[-1] not in self._end_tokens and not self._stops_in(tokens))

    def text(self, completion: str) -> str:
        """Returns the text before the first stop text, which is what rewards see and lm-eval scores."""
        places = [place for text in self._stop if (place := completion.find(text)) >= 0]
        return completion[: min(places)] if places else completion

    def apply_to(self, trainer: Any) -> None:
        """Makes a TRL trainer cut its completions at stop texts. Does nothing without stop texts."""
        if not self._stop:
            return
        if not trainer.use_vllm:
            trainer.model.generate = partial(trainer.model.generate, tokenizer=self._tokenizer)
        sample = trainer._generate_single_turn

        def sample_and_cut(*arguments: Any, **named: Any) -> Any:
            sampled = sample(*arguments, **named)
            if not isinstance(sampled, tuple):  # RLOOTrainer returns the ids without log probabilities
                return [self.cut(tokens) for tokens in sampled]
            cut = [self.cut(tokens) for tokens in sampled[0]]
            beside = sampled[1]
            return cut, beside and [row[: len(ids)] for row, ids in zip(beside, cut, strict=True)]

        trainer._generate_single_turn = sample_and_cut

    def _stops_in(self, tokens: Sequence[int]) -> bool:
        if not self._stop:
            return False
        text = self._tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
        return any(stop in text for stop in self._stop)
