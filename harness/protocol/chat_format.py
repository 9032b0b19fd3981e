"""Whether a domain is scored through the model's chat template: as its training prompts are written."""

from __future__ import annotations

from typing import Any

from harness.plugin.interfaces import Domain
from harness.protocol.faults import Faults

KEY = ("evaluate", "chat_template")


def chat_template_of(name: str, domain: Domain, chosen: Any, faults: Faults) -> bool:
    """Returns whether the items of the domain `name` go through the chat template.

    chosen: the protocol's `evaluate.chat_template`, None where it has none. It decides for a domain that does not say
    what its prompts are; for one that does, a different value is a fault.
    """
    if domain.chat is None:
        return chosen is True
    if isinstance(chosen, bool) and chosen != domain.chat:
        prompts = "chat messages" if domain.chat else "plain text"
        other = "plain" if domain.chat else "chat"
        faults.add(
            KEY,
            f"is {str(chosen).lower()}, and the training prompts of the domain {name!r} are {prompts}",
            f"leave chat_template out, and each domain is scored as it is trained; or set domains.{name}.format to"
            f" {other} where the domain has that key",
        )
    return domain.chat
