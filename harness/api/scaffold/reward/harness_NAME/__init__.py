"""The reward NAME."""

from typing import Annotated

from pydantic import Field

import harness


@harness.reward(name="NAME")
def brevity(
    completion: str,
    *,
    characters: Annotated[int, Field(ge=1, description="longest completion that gets the full reward")] = 20,
) -> float:
    """1 for a completion of at most so many characters, less for a longer one."""
    return characters / max(characters, len(completion))
