"""The sampling settings of a training, so that recoveries and probes can sample a domain in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_LENGTH = 256
"""The maximum completion length in tokens if neither a training nor the domain sets one; TRL's default."""

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

    max_completion_length: in tokens. temperature: of the sampling. stop: stop strings. trl: the fields of TRL's config
    that affect sampling, as set by the user.
    """

    max_completion_length: int = DEFAULT_LENGTH
    temperature: float = 1.0
    stop: tuple[str, ...] = ()
    trl: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_config(cls, config: Mapping[str, Any], longest: int | None) -> Sampling:
        """Returns the settings in an algorithm's config, with defaults for missing ones.

        longest: the maximum completion length of the trained domains; the limit in the config has precedence.
        """
        passed = config.get("trl") or {}
        return cls(
            max_completion_length=config.get("max_completion_length") or longest or DEFAULT_LENGTH,
            temperature=config.get("temperature", 1.0),
            stop=tuple(config.get("stop") or ()),
            trl={name: passed[name] for name in _TRL_FIELDS if name in passed},
        )
