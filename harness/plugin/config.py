"""The base of plugins' configs: pydantic models that a protocol's keys are checked against."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel as PydanticModel
from pydantic import ConfigDict

from harness.errors import Problem

if TYPE_CHECKING:
    from harness.plugin.workload import Workload


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

    def faults(self) -> Iterable[Problem]:
        """Yields what this machine lacks for this config: files that do not exist, optional packages.

        `harness validate` and the start of a run report it, for configs inside this config too. It must be quick and
        import nothing heavy. A problem's key is seen from this config.
        """
        return ()

    def fault_in_method(self, labels: Sequence[str], peak: int) -> tuple[str, str, str] | None:
        """Returns what is wrong with this config of a recovery at its place in a method: the key, a message and a hint;
        None where nothing is. Asked when the protocol is read.

        labels: of the checkpoints before it, base first, as in a lineage; peak: the place of the target's among them.
        """
        return None


class NoConfig(Config):
    """The config of a plugin that has nothing to set."""


def faults_in(value: Any) -> Iterator[Problem]:
    """Yields the faults of a config and of every config in it, with keys as seen from `value`."""
    if isinstance(value, Config):
        yield from value.faults()
    if isinstance(value, PydanticModel):
        parts: Iterable[tuple[object, Any]] = (
            (field.alias or name, getattr(value, name)) for name, field in type(value).model_fields.items()
        )
    elif isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    else:
        return
    for key, part in parts:
        for problem in faults_in(part):
            yield replace(problem, key=f"{key}.{problem.key}" if problem.key else str(key))


def missing_package(package: str, *, key: str, wanted_by: str, install: str = "") -> Iterator[Problem]:
    """Yields the problem that a package is not installed; nothing where it is. Imports nothing.

    key: the config's key that needs it. wanted_by: what needs it, for a person. install: what pip is to install, where
    that is not the package.
    """
    if find_spec(package) is None:
        hint = f"pip install '{install or package}', or leave {key} out"
        yield Problem(key=key, message=f"{wanted_by} needs the package {package}, which is not installed", hint=hint)
