"""Loaded plugins and the specs they offer, and plugins that failed to load."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel as PydanticModel
from pydantic import PydanticUserError

from harness.errors import HarnessError, PluginError
from harness.plugin import (
    engine_interface,
    interfaces,
    merge_interface,
    metric_interface,
    observer_interface,
    probe_interface,
    recovery_interface,
    specs,
    table_interface,
)
from harness.plugin.discovery import Source
from harness.plugin.hookspecs import HOOKS_BY_KIND
from harness.plugin.load_reference import check_reference

SPEC_TYPES: dict[str, type[specs.AnySpec]] = {
    kind.kind: kind
    for kind in (
        specs.ModelSpec,
        specs.DomainSpec,
        specs.RewardSpec,
        specs.AlgorithmSpec,
        specs.RecoverySpec,
        specs.MergeSpec,
        specs.ProbeSpec,
        specs.MetricSpec,
        specs.TableFormatSpec,
        specs.EngineSpec,
        specs.ObserverSpec,
        specs.ProtocolSpec,
    )
}
INTERFACES: dict[str, type[Any]] = {
    "model": interfaces.BaseModel,
    "domain": interfaces.Domain,
    "reward": interfaces.Reward,
    "algorithm": interfaces.Algorithm,
    "recovery": recovery_interface.Recovery,
    "merge": merge_interface.Merge,
    "probe": probe_interface.Probe,
    "metric": metric_interface.Metric,
    "table-format": table_interface.TableFormat,
    "engine": engine_interface.Engine,
    "observer": observer_interface.Observer,
}


@dataclass(frozen=True, kw_only=True)
class RegisteredPlugin:
    """A spec and the source it comes from."""

    spec: specs.AnySpec
    source: Source

    @property
    def kind(self) -> str:
        """The kind of the spec."""
        return self.spec.kind

    @property
    def name(self) -> str:
        """The name of the spec, unique per kind and distribution."""
        return self.spec.name

    @property
    def distribution(self) -> str:
        """The name of the distribution."""
        return self.source.distribution

    @property
    def version(self) -> str:
        """The version of the distribution."""
        return self.source.version

    @property
    def entry_point(self) -> str:
        """The name of the entry point in the group `harness.plugins`."""
        return self.source.entry_point

    @property
    def source_digest(self) -> str | None:
        """The sha256 of the plugin's source, or None if it is not installed; computed on first access."""
        return self.source.digest

    @property
    def qualified(self) -> str:
        """`distribution/name`, by which a protocol selects one of several plugins with the same name."""
        return f"{self.distribution}/{self.name}"

    @property
    def identity(self) -> str:
        """`distribution:name@version+src.<first 12 hex digits of the source digest>`, a part of keys."""
        identity = f"{self.distribution}:{self.name}@{self.version}"
        digest = self.source_digest
        return identity if digest is None else f"{identity}+src.{digest[:12]}"

    def config_type(self) -> type[PydanticModel]:
        """Returns the config's pydantic model. Raises PluginError if it cannot be imported or allows unknown keys."""
        spec = self._loadable()
        found = self._resolve(spec.config, "config")
        if not (isinstance(found, type) and issubclass(found, PydanticModel)):
            raise self._broken(f"config {_written(spec.config)} is not a pydantic model", "derive from harness.Config")
        if found.model_config.get("extra") != "forbid":
            raise self._broken(f"config {_written(spec.config)} allows unknown keys", "derive from harness.Config")
        return found

    def config_schema(self) -> dict[str, Any]:
        """Returns the JSON Schema of the config. Raises PluginError if it has none."""
        config = self.config_type()
        try:
            return config.model_json_schema()
        except PydanticUserError as error:
            raise self._broken(f"config {config.__name__} has no JSON Schema: {error}", "use JSON types") from error

    def check_load(self) -> None:
        """Checks that the target of `load` exists, without importing it. Raises PluginError."""
        reference = self._loadable().load
        if isinstance(reference, str):
            try:
                check_reference(reference)
            except PluginError as error:
                raise self._broken(error.message, error.hint) from error

    def implementation(self) -> Callable[[Any], Any]:
        """Imports and returns the target of `load`. Raises PluginError if it cannot be imported or called."""
        spec = self._loadable()
        found = self._resolve(spec.load, "load")
        if not callable(found):
            raise self._broken(f"load {_written(spec.load)} cannot be called", "name a class or a function")
        return found  # type: ignore[no-any-return]

    def build(self, config: PydanticModel) -> Any:
        """Builds the plugin from its config. Returns an instance of the interface of its kind.

        Raises PluginError if the import or the constructor fails, or the result does not implement the interface. A
        HarnessError of the constructor propagates.
        """
        make = self.implementation()
        reference = _written(self._loadable().load)
        try:
            built = make(config)
        except HarnessError:
            raise
        except (Exception, SystemExit) as error:
            message = f"{reference} failed: {type(error).__name__}: {error}{_place(error)}"
            raise self._broken(message, "this is a bug in the plugin: report it to its authors") from error
        interface = INTERFACES[self.kind]
        if not isinstance(built, interface):
            message = f"{reference} returned a {type(built).__name__}, not a harness.{interface.__name__}"
            raise self._broken(message, f"derive it from harness.{interface.__name__}")
        return built

    def _loadable(self) -> specs.Spec:
        if not isinstance(self.spec, specs.Spec):
            raise PluginError(f"{self.kind} {self.name!r} is a file and cannot be loaded as a plugin")
        return self.spec

    def _resolve(self, reference: str | Any, field: str) -> Any:
        if not isinstance(reference, str):
            return reference
        module, _, attribute = reference.partition(":")
        try:
            found = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (Exception, SystemExit) as error:
            message = f"{field} {reference!r} cannot be imported: {type(error).__name__}: {error}"
            raise self._broken(message, _import_hint(error, self.source)) from error
        return found

    def _broken(self, message: str, hint: str) -> PluginError:
        where = f"{self.distribution} {self.version}: {self.kind} {self.name!r}"
        return PluginError(message, where=where, hint=hint)


@dataclass(frozen=True, kw_only=True)
class FailedPlugin:
    """A plugin that failed to load. Other plugins are not affected."""

    distribution: str
    version: str
    entry_point: str
    error: str
    hint: str

    @property
    def label(self) -> str:
        """The plugin in messages: distribution, version, entry point."""
        return f"{self.distribution} {self.version} ({self.entry_point})"


def check_specs(yielded: Iterable[tuple[str, Any]]) -> list[specs.AnySpec]:
    """Returns the specs of one plugin, given (kind, iterable of specs) of each hook implementation.

    Raises PluginError for objects that are not specs of the kind, duplicate names and missing protocol files.
    Exceptions of generators propagate.
    """
    found: list[specs.AnySpec] = []
    seen: set[tuple[str, str]] = set()
    for kind, offered in yielded:
        hook, wanted = HOOKS_BY_KIND[kind], SPEC_TYPES[kind].__name__
        if not isinstance(offered, Iterable):
            raise PluginError(f"{hook} returned a {type(offered).__name__}", hint=f"yield each {wanted}")
        for spec in offered:
            if not isinstance(spec, SPEC_TYPES[kind]):
                raise PluginError(f"{hook} yielded a {type(spec).__name__}: {spec!r:.80}", hint=f"yield a {wanted}")
            if not isinstance(spec.summary, str) or not spec.summary.isprintable():
                fault = f"{hook} yielded {spec.name!r} with the summary {spec.summary!r:.80}"
                raise PluginError(fault, hint="a summary must be one line of text")
            if (kind, spec.name) in seen:
                raise PluginError(f"{hook} yielded {spec.name!r} twice", hint="names must be unique within a kind")
            if isinstance(spec, specs.ProtocolSpec) and not Path(spec.path).is_file():
                raise PluginError(f"no file {spec.path} for the protocol {spec.name!r}", hint="package the file")
            seen.add((kind, spec.name))
            found.append(spec)
    return found


def modules_of(offered: Iterable[specs.AnySpec]) -> list[str]:
    """Returns the modules of the implementations and configs of specs."""
    references = [part for spec in offered if isinstance(spec, specs.Spec) for part in (spec.load, spec.config)]
    return sorted(
        {
            reference.partition(":")[0] if isinstance(reference, str) else reference.__module__
            for reference in references
        }
    )


def describe_failure(source: Source, error: BaseException) -> FailedPlugin:
    """Returns the failure of a plugin, with the error message and a hint in one line each."""
    if isinstance(error, HarnessError):
        message, hint = error.message, error.hint
    else:
        message, hint = f"{type(error).__name__}: {error}{_place(error)}", ""
    return FailedPlugin(
        distribution=source.distribution,
        version=source.version,
        entry_point=source.entry_point,
        error=" ".join(message.split()),
        hint=hint or _import_hint(error, source),
    )


def _import_hint(error: BaseException, source: Source) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = error.name.partition(".")[0]
        return f"is {missing!r} installed? `pip install --force-reinstall {source.distribution}` installs dependencies"
    return f"this is a bug in the plugin: report it to its authors; skip it with --without {source.distribution}"


def _place(error: BaseException) -> str:
    """Returns ` (file:line)` of the innermost frame, or an empty string if there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or isinstance(error, SyntaxError):
        return ""
    return f" ({frames[-1].filename}:{frames[-1].lineno})"


def _written(reference: object) -> str:
    return reference if isinstance(reference, str) else getattr(reference, "__qualname__", repr(reference))
