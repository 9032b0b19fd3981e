"""The base class of plugin configs: pydantic models that validate the keys of a protocol."""

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
    """Marks a config field that does not affect results, so that stored results stay valid when it changes:

        workers: Annotated[int, Unkeyed("how many run at once")] = 2

    It also works in nested configs. reason: why no result depends on the value. entries: for a mapping, the keys that
    are excluded; by default the whole field.
    """

    reason: str
    entries: Collection[str] | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingPlace:
    """Where a training stands.

    labels: of the preceding checkpoints, base first. domains: those that it trains, by name. peaks: the index in
    `labels` of the last training of each trained domain. experts: the methods that a merge or the config names, with
    the domains that they trained.
    """

    labels: Sequence[str]
    domains: Sequence[str]
    peaks: Mapping[str, int]
    experts: Mapping[str, Sequence[str]]


class Config(PydanticModel):
    """The base class of plugin configs: unknown keys are rejected, instances are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def workload(self) -> Workload | None:
        """Returns upper bounds for a training or recovery with this config, or None if the config does not determine
        them. Used by `harness plan`; must be cheap and import nothing heavy."""
        return None

    def faults(self) -> Iterable[Problem]:
        """Yields what is missing on this machine: files that do not exist, optional packages that are not installed.

        Called by `harness validate` and at the start of a run, for nested configs too. It must be fast and import
        nothing heavy. The key of a problem is relative to this config.
        """
        return ()

    def reads_lineage(self) -> bool:
        """Whether an algorithm with this config reads earlier checkpoints and domains: `TrainingContext.lineage`,
        `earlier` and `cache`."""
        return False

    def reads_experts(self) -> bool:
        """Whether an algorithm with this config can learn from the experts of a merge: `TrainingContext.experts`."""
        return False

    def reads_methods(self) -> Mapping[str, str]:
        """Returns the methods whose last checkpoints an algorithm with this config reads, by the key that names each,
        such as `teachers.math`. They are in `TrainingContext.experts`; keys of results cover the checkpoints instead of
        the names."""
        return {}

    def fault_in_training(self, place: TrainingPlace) -> tuple[str, str, str] | None:
        """Validates the config of an algorithm against its place in a method. Returns (key, message, hint) of the first
        problem, or None. Called when the protocol is loaded."""
        return None

    def fault_with_experts(self, experts: Mapping[str, Sequence[str]]) -> tuple[str, str, str] | None:
        """Validates the config of a merge against the domains that each expert trained, by the names of their methods.
        Returns (key, message, hint) of the first problem, or None. Called when the protocol is loaded."""
        return None

    def reads_states(self) -> int | None:
        """After how many optimizer steps each a probe with this config reads the models within the recoveries of a
        method that train: `ProbeContext.states`. None for a probe that does not read them."""
        return None

    def fault_with_training(self, training: Config) -> tuple[str, str, str] | None:
        """Validates the config of a recovery that trains with the config of its algorithm. Returns (key, message, hint)
        of the first problem, or None. Called when the protocol is loaded."""
        return None

    def fault_in_method(self, labels: Sequence[str], peak: int) -> tuple[str, str, str] | None:
        """Validates the config of a recovery against its position in a method. Returns (key, message, hint) of the
        first problem, or None. Called when the protocol is loaded.

        labels: the labels of the preceding checkpoints, base first, as in a lineage. peak: the index of the target's
        peak in `labels`.
        """
        return None

    def fault_with_targets(
        self, labels: Sequence[str], targets: Sequence[str], peaks: Mapping[str, int]
    ) -> tuple[str, str, str] | None:
        """Validates as `fault_in_method`, which it calls by default; for a recovery of several domains.

        targets: the domains to recover. peaks: the index in `labels` of the last training of each trained domain.
        """
        return self.fault_in_method(labels, peaks[targets[0]])

    def workload_of_recovery(self, trained: int) -> Workload | None:
        """Returns the workload of a recovery with this config after the training of `trained` domains; by default
        `workload`, for recoveries whose work does not depend on the number."""
        return self.workload()


class NoConfig(Config):
    """The config of a plugin without options."""


def parts_of(value: Any) -> Iterable[tuple[Any, Any]]:
    """Returns the parts of a model, mapping or list with their keys or places, as in a protocol; none for a scalar."""
    if isinstance(value, PydanticModel):
        return [(field.alias or name, getattr(value, name)) for name, field in type(value).model_fields.items()]
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def faults_in(value: Any) -> Iterator[Problem]:
    """Yields the faults of a config and of all nested configs, with keys relative to `value`."""
    if isinstance(value, Config):
        yield from value.faults()
    for key, part in parts_of(value):
        for problem in faults_in(part):
            yield replace(problem, key=f"{key}.{problem.key}" if problem.key else str(key))


def missing_package(package: str, *, key: str, wanted_by: str, install: str = "") -> Iterator[Problem]:
    """Yields a problem if a package is not installed. Does not import it.

    key: the config key that needs the package. wanted_by: what needs it, for the message. install: the requirement to
    pass to pip, if it differs from `package`.
    """
    if find_spec(package) is None:
        hint = f"pip install '{install or package}', or leave {key} out"
        yield Problem(key=key, message=f"{wanted_by} needs the package {package}, which is not installed", hint=hint)
