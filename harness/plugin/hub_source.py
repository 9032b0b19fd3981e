"""What a plugin takes of the hub: named, so that it can be told what is not pinned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class HubSource:
    """A model or a data set of the hub, at a revision: a branch, a tag or a commit; None for its main branch."""

    kind: Literal["model", "dataset"]
    name: str
    revision: str | None = None

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, which cannot move."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    @property
    def noun(self) -> str:
        return "data set" if self.kind == "dataset" else "model"

    def __str__(self) -> str:
        return f"{self.name} at {self.revision or 'main'}"


class TakesFromHub:
    """What models, domains and rewards have in common."""

    def hub_sources(self) -> Sequence[HubSource]:
        """Returns the models and data sets of the hub that this takes, each at its revision; none where all is local.

        Cheap, and without importing torch or datasets: `harness validate` and `plan` tell which are not pinned.
        """
        return ()
