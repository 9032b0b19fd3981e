"""What a plugin offers once it is loaded, and what is said of one that is not."""

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
from harness.plugin import engine_interface, interfaces, merge_interface, metric_interface, specs
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
        specs.ProtocolSpec,
    )
}
INTERFACES: dict[str, type[Any]] = {
    "model": interfaces.BaseModel,
    "domain": interfaces.Domain,
    "reward": interfaces.Reward,
    "algorithm": interfaces.Algorithm,
    "recovery": interfaces.Recovery,
    "merge": merge_interface.Merge,
    "probe": interfaces.Probe,
    "metric": metric_interface.Metric,
    "table-format": interfaces.TableFormat,
    "engine": engine_interface.Engine,
}


@dataclass(frozen=True, kw_only=True)
class RegisteredPlugin:
    """One offered spec and the plugin it comes from."""

    spec: specs.AnySpec
    source: Source

    @property
    def kind(self) -> str:
        """Returns the spec's kind."""
        return self.spec.kind

    @property
    def name(self) -> str:
        """Returns the spec's name, unique in its kind within one distribution."""
        return self.spec.name

    @property
    def distribution(self) -> str:
        """Returns the name of the distribution that offers it."""
        return self.source.distribution

    @property
    def version(self) -> str:
        """Returns the distribution's version."""
        return self.source.version

    @property
    def entry_point(self) -> str:
        """Returns the name of the entry point in the group `harness.plugins`."""
        return self.source.entry_point

    @property
    def source_digest(self) -> str | None:
        """Returns the sha256 of the plugin's code, None for one that is not installed; read when first asked."""
        return self.source.digest

    @property
    def qualified(self) -> str:
        """Returns `distribution/name`, by which a protocol selects it among several of its name."""
        return f"{self.distribution}/{self.name}"

    @property
    def identity(self) -> str:
        """Returns `distribution:name@version+src.<12 hex of the code's digest>`: it goes into keys."""
        identity = f"{self.distribution}:{self.name}@{self.version}"
        digest = self.source_digest
        return identity if digest is None else f"{identity}+src.{digest[:12]}"

    def config_type(self) -> type[PydanticModel]:
        """Returns the config's pydantic model. Raises PluginError where it cannot be imported or takes unknown keys."""
        spec = self._loadable()
        found = self._resolve(spec.config, "config")
        if not (isinstance(found, type) and issubclass(found, PydanticModel)):
            raise self._broken(f"config {_written(spec.config)} is no pydantic model", "derive it from harness.Config")
        if found.model_config.get("extra") != "forbid":
            raise self._broken(f"config {_written(spec.config)} takes unknown keys", "derive it from harness.Config")
        return found

    def config_schema(self) -> dict[str, Any]:
        """Returns the config's JSON Schema. Raises PluginError where the config has none."""
        config = self.config_type()
        try:
            return config.model_json_schema()
        except PydanticUserError as error:
            raise self._broken(f"config {config.__name__} has no JSON Schema: {error}", "use JSON's types") from error

    def check_load(self) -> None:
        """Returns where `load` names something that is there, without importing it. Raises PluginError otherwise."""
        reference = self._loadable().load
        if isinstance(reference, str):
            try:
                check_reference(reference)
            except PluginError as error:
                raise self._broken(error.message, error.hint) from error

    def implementation(self) -> Callable[[Any], Any]:
        """Returns what `load` names, imported now. Raises PluginError where it cannot be had or called."""
        spec = self._loadable()
        found = self._resolve(spec.load, "load")
        if not callable(found):
            raise self._broken(f"load {_written(spec.load)} cannot be called", "name a class or a function")
        return found  # type: ignore[no-any-return]

    def build(self, config: PydanticModel) -> Any:
        """Returns the object that `harness.plugin.interfaces` describes for this kind, made from `config`.

        Raises PluginError where the import or the constructor fails or it gives something else; a HarnessError that the
        constructor raises is meant for the person and passes.
        """
        make = self.implementation()
        reference = _written(self._loadable().load)
        try:
            made = make(config)
        except HarnessError:
            raise
        except (Exception, SystemExit) as error:
            message = f"{reference} failed: {type(error).__name__}: {error}{_place(error)}"
            raise self._broken(message, "this is a fault of the plugin: tell its authors") from error
        interface = INTERFACES[self.kind]
        if not isinstance(made, interface):
            message = f"{reference} gave a {type(made).__name__}, not a harness.{interface.__name__}"
            raise self._broken(message, f"derive it from harness.{interface.__name__}")
        return made

    def _loadable(self) -> specs.Spec:
        if not isinstance(self.spec, specs.Spec):
            raise PluginError(f"{self.kind} {self.name!r} is a file and loads nothing")
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
    """A plugin that could not be loaded; everything else works without it."""

    distribution: str
    version: str
    entry_point: str
    error: str
    hint: str

    @property
    def label(self) -> str:
        """Names the plugin to a person: distribution, version, entry point."""
        return f"{self.distribution} {self.version} ({self.entry_point})"


def check_specs(yielded: Iterable[tuple[str, Any]]) -> list[specs.AnySpec]:
    """Returns the specs of one plugin, given each implementation's (kind, iterable of specs).

    Raises PluginError for what is no spec of its kind, a name that comes twice, and a packaged protocol that is not
    there; what a generator raises passes.
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
                raise PluginError(fault, hint="a summary is one line of text")
            if (kind, spec.name) in seen:
                raise PluginError(f"{hook} yielded {spec.name!r} twice", hint="names are unique in their kind")
            if isinstance(spec, specs.ProtocolSpec) and not Path(spec.path).is_file():
                raise PluginError(f"the protocol {spec.name!r} is not at {spec.path}", hint="package the file")
            seen.add((kind, spec.name))
            found.append(spec)
    return found


def modules_of(offered: Iterable[specs.AnySpec]) -> list[str]:
    """Returns the modules that specs load from: those of their implementations and configs."""
    references = [part for spec in offered if isinstance(spec, specs.Spec) for part in (spec.load, spec.config)]
    return sorted(
        {
            reference.partition(":")[0] if isinstance(reference, str) else reference.__module__
            for reference in references
        }
    )


def describe_failure(source: Source, error: BaseException) -> FailedPlugin:
    """Returns what is told of a plugin that `error` stopped: a line saying what, and one saying what to do."""
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
        return f"is {missing!r} installed? `pip install --force-reinstall {source.distribution}` fetches what it needs"
    return f"this is a fault of the plugin: tell its authors; --without {source.distribution} leaves it out"


def _place(error: BaseException) -> str:
    """Returns ` (file:line)` of the innermost frame, or nothing where there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or isinstance(error, SyntaxError):
        return ""
    return f" ({frames[-1].filename}:{frames[-1].lineno})"


def _written(reference: object) -> str:
    return reference if isinstance(reference, str) else getattr(reference, "__qualname__", repr(reference))
