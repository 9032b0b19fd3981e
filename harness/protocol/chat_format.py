"""Whether a domain is scored with the model's chat template: in the format of its training prompts."""

from __future__ import annotations

from typing import Any

from harness.plugin.interfaces import Domain
from harness.protocol.faults import Faults

KEY = ("evaluate", "chat_template")


def chat_template_of(name: str, domain: Domain, chosen: Any, faults: Faults) -> bool:
    """Returns whether the items of the domain `name` are scored with the chat template.

    chosen: the protocol's `evaluate.chat_template`, or None. It decides for a domain that does not declare the format
    of its prompts; a value that contradicts the declared format is a fault.
    """
    if domain.chat is None:
        return chosen is True
    if isinstance(chosen, bool) and chosen != domain.chat:
        prompts = "chat messages" if domain.chat else "plain text"
        other = "plain" if domain.chat else "chat"
        faults.add(
            KEY,
            f"is {str(chosen).lower()}, but the training prompts of the domain {name!r} are {prompts}",
            f"remove chat_template to score each domain in its training format, or set domains.{name}.format to"
            f" {other} if the domain has that key",
        )
    return domain.chat
