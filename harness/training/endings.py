"""Where a sampled completion ends: at a token that ends a sequence, or at one of the texts that a step stops at.

TRL knows the first only. transformers stops at texts, but fills the rows that stopped with padding up to the longest of
their batch, which TRL would train on. So the rows are cut here, before TRL sees them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from harness.domains.completions import THINK_START, whole_completion


def generation_settings(passed: Mapping[str, Any], stop: Sequence[str]) -> dict[str, Any]:
    """Returns the fields of TRL's config in `passed` with the texts `stop` added for the backend that generates."""
    if not stop:
        return dict(passed)
    name = "stop" if passed.get("use_vllm") else "stop_strings"
    return {**passed, "generation_kwargs": {**(passed.get("generation_kwargs") or {}), name: list(stop)}}


def text_for_reward(prompt: Any, completion: str, endings: Endings | None, *, chat_opens_thinking: bool) -> str:
    """Returns a completion's text up to where it ends, with the thought that its prompt opened put back in front.

    chat_opens_thinking: whether the chat template, which a prompt of chat messages goes through, opens one.
    """
    text = completion if endings is None else endings.text(completion)
    if isinstance(prompt, str):
        return whole_completion(prompt, text)
    return whole_completion(THINK_START, text) if chat_opens_thinking else text


class Endings:
    """Tells of token ids and of texts where they end. end_tokens: the ids that end a sequence."""

    def __init__(self, tokenizer: Any, end_tokens: Collection[int], stop: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._end_tokens = frozenset(end_tokens)
        self._stop = tuple(stop)

    def cut(self, tokens: Sequence[int]) -> list[int]:
        """Returns the ids up to the one in which the first stop text is complete, without padding after them.

        The ids of the stop text stay: the model chose them, as it chooses a token that ends a sequence.
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
        """Returns whether a completion ends because it reached the longest length, and not of itself."""
        return not tokens or (tokens[-1] not in self._end_tokens and not self._stops_in(tokens))

    def text(self, completion: str) -> str:
        """Returns what stands before the first stop text: that is what rewards see, and what lm-eval scores."""
        places = [place for text in self._stop if (place := completion.find(text)) >= 0]
        return completion[: min(places)] if places else completion

    def apply_to(self, trainer: Any) -> None:
        """Makes a TRL trainer end its completions here; without stop texts there is nothing to do."""
        if not self._stop:
            return
        if not trainer.use_vllm:
            trainer.model.generate = partial(trainer.model.generate, tokenizer=self._tokenizer)
        sample = trainer._generate_single_turn

        def sample_and_cut(*arguments: Any, **named: Any) -> Any:
            sampled = sample(*arguments, **named)
            if not isinstance(sampled, tuple):  # RLOOTrainer's has no log probabilities beside the ids
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
