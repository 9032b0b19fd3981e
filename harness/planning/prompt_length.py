"""The estimated tokens of a domain's prompts, from some of their texts and without a tokenizer."""

from __future__ import annotations

from statistics import fmean

from harness.plugin.interfaces import Domain

CHARACTERS_PER_TOKEN = 3.5
"""Measured with SmolLM2's tokenizer on the prompts of the protocol `smollm`: 3.1 (code) to 4.0 (writing)."""
CHAT_TOKENS = 30
"""What SmolLM2's chat template adds to a prompt: its own system message, the roles and their marks."""


def tokens_of(domain: Domain) -> int | None:
    """Returns the estimated mean tokens of a domain's prompts, None if it has no example prompts."""
    try:
        prompts = domain.example_prompts()
    except Exception:  # faults of the data are found by `validate --deep`; here they make the length unknown
        return None
    if not prompts:
        return None
    system = len(domain.system_prompt or "")
    return round((fmean(map(len, prompts)) + system) / CHARACTERS_PER_TOKEN) + (CHAT_TOKENS if domain.chat else 0)
