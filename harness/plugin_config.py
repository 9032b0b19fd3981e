"""The base of plugins' configs: pydantic models that a protocol's keys are checked against."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel as PydanticModel
from pydantic import ConfigDict

if TYPE_CHECKING:
    from harness.workload import Workload


@dataclass(frozen=True)
class Unkeyed:
    """Marks a config field whose value changes no result, so that results stay valid when it changes:

        workers: Annotated[int, Unkeyed("how many run at once")] = 2

    It also works in nested configs. reason: why no result depends on the value. entries: for a field that is a mapping,
    the keys that are meant; by default the whole field.
    """

    reason: str
    entries: Collection[str] | None = None


class Config(PydanticModel):
    """The base of a plugin's config: unknown keys are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def workload(self) -> Workload | None:
        """Returns what a training or recovery with this config does at most, for `harness plan`; None where the config
        does not tell. Nothing is read or imported for it that is heavy."""
        return None

    def fault_in_method(self, labels: Sequence[str], peak: int) -> tuple[str, str, str] | None:
        """Returns what is wrong with this config of a recovery at its place in a method: the key, a message and a hint;
        None where nothing is. Asked when the protocol is read.

        labels: of the checkpoints before it, base first, as in a lineage; peak: the place of the target's among them.
        """
        return None


class NoConfig(Config):
    """The config of a plugin that has nothing to set."""
