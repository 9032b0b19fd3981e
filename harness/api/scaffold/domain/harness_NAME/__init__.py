"""The domain NAME and its reward. Importing this must stay light: `load` names what is imported when it is used."""

from collections.abc import Iterator

import harness
from harness import DomainSpec, hookimpl


@hookimpl
def harness_domains() -> Iterator[DomainSpec]:
    yield DomainSpec(
        name="NAME",
        summary="Write a number backwards",
        reward="NAME",
        load="harness_NAME.domain:Backwards",
        config="harness_NAME.domain:BackwardsConfig",
    )


@harness.reward(name="NAME")
def digits_in_place(completion: str, answer: str) -> float:
    """The share of the answer's digits that stand where they should."""
    found = completion.strip()
    return sum(a == b for a, b in zip(found, answer, strict=False)) / max(len(found), len(answer))
