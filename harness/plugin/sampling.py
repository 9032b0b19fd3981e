"""How a training samples completions, as plain data: whatever else samples the same domain follows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_LENGTH = 256
"""Tokens of a completion where neither a training nor the domain names a limit, as TRL's own default."""

_TRL_FIELDS = (
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "cache_implementation",
    "generation_kwargs",
    "chat_template_kwargs",
    "mask_truncated_completions",
)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """The sampling settings of a training.

    stop: texts at which a completion ends. trl: the fields of TRL's config that change sampling, as the user set them.
    """

    max_completion_length: int = DEFAULT_LENGTH
    temperature: float = 1.0
    stop: tuple[str, ...] = ()
    trl: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_config(cls, config: Mapping[str, Any], longest: int | None) -> Sampling:
        """Returns the settings in an algorithm's config, defaults for those that it does not have.

        longest: the longest completion that the trained domains name; the config's own limit comes first.
        """
        passed = config.get("trl") or {}
        return cls(
            max_completion_length=config.get("max_completion_length") or longest or DEFAULT_LENGTH,
            temperature=config.get("temperature", 1.0),
            stop=tuple(config.get("stop") or ()),
            trl={name: passed[name] for name in _TRL_FIELDS if name in passed},
        )
