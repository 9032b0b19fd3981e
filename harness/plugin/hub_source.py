"""The Hugging Face Hub repositories that a plugin uses, so that unpinned ones can be reported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class HubSource:
    """A Hub model or data set at a revision: a branch, a tag or a commit; None for the main branch."""

    kind: Literal["model", "dataset"]
    name: str
    revision: str | None = None

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit hash."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    @property
    def noun(self) -> str:
        return "data set" if self.kind == "dataset" else "model"

    def __str__(self) -> str:
        return f"{self.name} at {self.revision or 'main'}"


class TakesFromHub:
    """Mixin of models, domains and rewards: declares the Hub repositories they use."""

    def hub_sources(self) -> Sequence[HubSource]:
        """Returns the Hub models and data sets that this plugin loads; empty if everything is local.

        Must be cheap and must not import torch or datasets: `harness validate` and `plan` report unpinned ones.
        """
        return ()
