"""Loads a protocol file into a `Protocol` and reports all problems together."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import ValidationError

from harness.errors import UsageError
from harness.plugin.registry import Registry
from harness.plugin.specs import DomainSpec, ProtocolSpec
from harness.protocol.backends import DEFAULT_SERVE, check_backend
from harness.protocol.chat_format import chat_template_of
from harness.protocol.columns import read_columns
from harness.protocol.data import DeclaredColumn, DeclaredDomain, Protocol, Step
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.protocol.faults import Faults, describe, near_match, validate
from harness.protocol.launch import read_launch
from harness.protocol.placement import check_resources
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.plugin_uses import PluginUses
from harness.protocol.shape import BASE_METHOD, DEFAULT_MODEL, EvaluateSection, ProtocolFile, form_of
from harness.protocol.source import KeyPath, read_source
from harness.protocol.states import check_every
from harness.protocol.steps import MethodReader
from harness.protocol.train_defaults import TrainDefaults


def find_protocol(name_or_path: str | os.PathLike[str], registry: Registry) -> Path:
    """Returns the path of a protocol, given its path or the name of a packaged protocol.

    Raises UsageError if there is neither, PluginError if two distributions provide the name.
    """
    path = Path(name_or_path)
    if path.is_file():
        return path
    name = str(name_or_path)
    packaged = registry.all("protocol")
    if any(name in (found.name, found.qualified) for found in packaged):
        spec = registry.find("protocol", name).spec
        assert isinstance(spec, ProtocolSpec)
        return spec.path
    if path.is_dir():
        raise UsageError(f"{name} is a folder, not a protocol file", hint="give the path of the YAML file in it")
    hint = near_match(name, (found.name for found in packaged), called="packaged protocols")
    if registry.failures:
        hint += "; a plugin failed to load, see `harness plugins list`"
    hint += "; or give the path of a YAML file"
    raise UsageError(f"no file and no packaged protocol is called {name}", hint=hint)


def load_protocol(
    path: Path, registry: Registry, *, seeds: Sequence[int] | None = None, methods: Sequence[str] | None = None
) -> Protocol:
    """Loads the protocol at `path`. seeds: replaces the protocol's seeds. methods: selects some of its methods.

    Raises ProtocolError with all problems (ProtocolPluginError, exit code 3, if all are due to plugins) and UsageError
    for invalid `seeds` or `methods`.
    """
    source = read_source(path)
    faults = Faults(source)
    try:
        validate(ProtocolFile, source.data)
    except ValidationError as error:
        for at, message, hint in describe(ProtocolFile, error):
            faults.add(at, message, form_of(at, source.data) or hint)
        if any(detail["type"] == "too_long" for detail in error.errors()):
            faults.check()  # do not process oversized lists
    sections = _Sections(source.data, registry, faults, path.absolute().parent)
    sections.requirements()
    model = sections.model()
    domains = sections.domains()
    every_method = sections.methods(tuple(sections.mapping("domains")))
    probes = sections.probes()
    metrics = sections.metrics()
    if not every_method:
        every_method = {BASE_METHOD: ()}
    engine, observers = sections.engine(), sections.observers()
    launch = read_launch(source.data.get("launch"), path, faults)
    sections.backend()
    check_every(sections.mapping("evaluate").get("every"), every_method, registry, faults)
    columns = sections.columns()
    faults.check()
    assert model is not None, "a missing model is a fault"
    file = validate(ProtocolFile, source.data)
    chosen = tuple(file.seeds) if seeds is None else _chosen_seeds(seeds)
    return Protocol(
        name=file.name,
        summary=file.summary,
        path=path,
        text=source.text,
        model=model,
        model_label=str(file.model.get(DEFAULT_MODEL) or model.name),
        seeds=chosen if file.methods else chosen[:1],  # the base model is the same for all seeds
        domains=domains,
        settings=_settings(file.evaluate),
        every=file.evaluate.every,
        methods=every_method if methods is None else _chosen_methods(methods, every_method),
        probes=probes,
        metrics=metrics,
        columns=columns,
        allow=frozenset(file.allow),
        launch=launch,
        engine=engine,
        observers=observers,
        resources={kind: entry.model_dump() for kind, entry in file.resources.items()},
        unmet=faults.unmet,
        lines=source.lines,
    )


class _Sections:
    """Resolves the sections. Parts with the wrong shape are skipped: they are already recorded as faults."""

    def __init__(self, data: Mapping[str, Any], registry: Registry, faults: Faults, folder: Path) -> None:
        self._data = data
        self._registry = registry
        self._faults = faults
        allow = data.get("allow")
        agreed = [need for need in allow if isinstance(need, str)] if isinstance(allow, list) else []
        self._uses = PluginUses(registry, faults, agreed, folder)

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Returns a section, or an empty mapping if it is not a mapping."""
        section = self._data.get(key)
        return section if isinstance(section, dict) else {}

    def _list(self, key: str) -> Sequence[Any]:
        section = self._data.get(key)
        return section if isinstance(section, list) else []

    def requirements(self) -> None:
        """Checks the distributions that the protocol requires."""
        installed = {canonicalize_name(name): version for name, version in self._registry.distributions.items()}
        for index, text in enumerate(self._list("requires")):
            if not isinstance(text, str):
                continue
            at = ("requires", index)
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                self._faults.add(at, f"{text!r} is not a requirement", 'write it like "harness-foo>=1.2"')
                continue
            version = installed.get(canonicalize_name(requirement.name))
            if version is None:
                message = f"no plugin of the distribution {requirement.name!r} is loaded"
                self._faults.add(at, message, f"pip install '{text}', or see `harness plugins list`", plugin=True)
            elif not requirement.specifier.contains(version, prereleases=True):
                message = f"{requirement.name} {version} is installed"
                self._faults.add(at, message, f"pip install '{text}'", plugin=True)

    def _section(
        self, kind: str, section: Mapping[str, Any], at: KeyPath, *, reserved: Sequence[str] = ()
    ) -> PluginRef | None:
        """Returns the plugin named by the key `use`; the other keys of the section, except reserved ones, are its
        config."""
        if "use" not in section:
            known = sorted({found.name for found in self._registry.all(kind)})
            self._faults.add((*at, "use"), "is missing", f"available: {', '.join(known) or 'none'}")
            return None
        beside = ("use", *reserved)
        config = {key: value for key, value in section.items() if key not in beside}
        return self._uses.use(
            kind, section["use"], config, at=(*at, "use"), place=lambda key: (*at, key), beside=beside
        )

    def model(self) -> PluginRef | None:
        """Returns the base model, or None if it has a fault."""
        section = self.mapping("model")
        if not section:
            if isinstance(self._data.get("model"), dict):
                self._faults.add(("model",), "names no model", "write `{use: NAME}` or `{pretrained: NAME}`")
            return None
        config = {key: value for key, value in section.items() if key != "use"}
        name = section.get("use", DEFAULT_MODEL)
        use = self._uses.use(
            "model", name, config, at=("model", "use"), place=lambda key: ("model", key), beside=["use"]
        )
        return use if use is not None and self._uses.built(use, ("model", "use")) is not None else None

    def domains(self) -> dict[str, DeclaredDomain]:
        """Returns the valid domains."""
        read = {}
        for name, section in self.mapping("domains").items():
            if not isinstance(section, dict):
                continue
            at = ("domains", name)
            plugin = self._section("domain", section, at, reserved=["reward"])
            if plugin is not None and not self._trains(plugin):
                hint = "name it under evaluate.columns: it is scored after every step"
                self._faults.add((*at, "use"), f"the domain {plugin.name} has no training data", hint)
                continue
            reward = self._reward(section, at, found=plugin is not None)
            built = self._uses.built(plugin, (*at, "use")) if plugin is not None else None
            if reward is None or self._uses.built(reward, (*at, "reward")) is None:
                continue
            if plugin is None or built is None:
                continue
            template = chat_template_of(name, built, self.mapping("evaluate").get("chat_template"), self._faults)
            read[name] = DeclaredDomain(name=name, plugin=plugin, reward=reward, chat_template=template)
        return read

    def _trains(self, plugin: PluginRef) -> bool:
        """Returns whether a domain has training data."""
        spec = self._registry.find("domain", plugin.name).spec
        return isinstance(spec, DomainSpec) and spec.trains

    def _reward(self, section: Mapping[str, Any], at: KeyPath, *, found: bool) -> PluginRef | None:
        """Returns a domain's reward: the one in the protocol, else that of the domain's spec."""
        chosen, reward_at = section.get("reward"), (*at, "reward")
        if isinstance(chosen, dict):
            return self._section("reward", chosen, reward_at)
        if "reward" not in section:
            if not found:
                return None
            domain = self._registry.find("domain", section["use"])
            assert isinstance(domain.spec, DomainSpec)
            chosen = domain.spec.reward
            rewards = [reward for reward in self._registry.all("reward") if reward.name == chosen]
            own = [reward for reward in rewards if reward.distribution == domain.distribution]
            if len(rewards) > 1 and own:  # prefer the reward of the domain's own distribution
                chosen = own[0].qualified
        return self._uses.use("reward", chosen, {}, at=reward_at, place=lambda key: (*reward_at, key))

    def methods(self, domains: Sequence[str]) -> dict[str, tuple[Step, ...]]:
        """Returns the methods with their valid steps."""
        defaults = TrainDefaults(self.mapping("train"), self._uses)
        defaults.check(self._faults)
        section = self.mapping("methods")
        reader = MethodReader(domains=domains, defaults=defaults, uses=self._uses, faults=self._faults, methods=section)
        return {name: reader.read(name).steps for name, steps in section.items() if isinstance(steps, list)}

    def probes(self) -> tuple[PluginRef, ...]:
        """Returns the valid probes."""
        read = [
            self._section("probe", section, ("probes", index))
            for index, section in enumerate(self._list("probes"))
            if isinstance(section, dict)
        ]
        return tuple(probe for probe in read if probe is not None)

    def engine(self) -> PluginRef | None:
        """Returns the engine, None if there is none or it has a fault. Checks the names under `resources` too."""
        check_resources(self.mapping("resources"), self._uses, self._faults)
        return self._named("engine", self._data.get("engine"), ("engine",))

    def observers(self) -> tuple[PluginRef, ...]:
        """Returns the valid observers."""
        sections = enumerate(self._list("observers"))
        read = [self._named("observer", section, ("observers", index)) for index, section in sections]
        found: dict[str, PluginRef] = {}
        for index, use in enumerate(read):
            if use is not None and found.setdefault(use.name, use) is not use:
                self._faults.add(("observers", index), f"{use.name} is listed twice", "keep one of them")
        return tuple(found.values())

    def _named(self, kind: str, section: object, at: KeyPath) -> PluginRef | None:
        """Returns the plugin of a section that is a name or a mapping; None if it is neither or has a fault."""
        if isinstance(section, str):
            return self._uses.use(kind, section, {}, at=at, place=lambda key: (*at, key))
        return self._section(kind, section, at) if isinstance(section, dict) else None

    def columns(self) -> dict[str, DeclaredColumn]:
        """Returns the valid evaluation-only columns."""
        taken = {*self.mapping("domains"), *self.mapping("metrics")}
        return read_columns(self.mapping("evaluate"), taken, self._uses, self._faults)

    def backend(self) -> None:
        """Checks the backend of the evaluation."""
        section = self.mapping("evaluate")
        try:
            validate(EvaluateSection, section)
        except ValidationError:  # already recorded
            return
        check_backend(section, self._faults)

    def metrics(self) -> dict[str, PluginRef]:
        """Returns the valid metrics, by column name."""
        read = {}
        for name, section in self.mapping("metrics").items():
            at = ("metrics", name)
            if name in self.mapping("domains"):
                self._faults.add(at, "is also the name of a domain", "both are columns: rename the metric")
            elif isinstance(section, dict):
                use = self._section("metric", section, at)
                if use is not None and self._uses.built(use, (*at, "use")) is not None:
                    read[name] = use
        return read


def _settings(section: EvaluateSection) -> EvaluationSettings:
    settings = EvaluationSettings(**section.model_dump(exclude={"columns", "every", "serve"}))
    if section.backend != "openai":
        return settings
    serve = DEFAULT_SERVE if section.serve is None else tuple(section.serve)
    return replace(settings, batch_size=1, serve=() if "base_url" in section.args else serve)


def _chosen_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    if not seeds or len(set(seeds)) < len(seeds) or not all(0 <= seed < 2**32 for seed in seeds):
        given = ", ".join(map(str, seeds)) or "none"
        raise UsageError(f"the seeds are {given}", where="--seeds", hint="give distinct non-negative integers")
    return tuple(seeds)


def _chosen_methods(names: Sequence[str], methods: Mapping[str, tuple[Step, ...]]) -> dict[str, tuple[Step, ...]]:
    for name in names:
        if name not in methods:
            hint = near_match(name, methods, called="its methods")
            raise UsageError(f"the protocol has no method {name!r}", where="--methods", hint=hint)
    if not names:
        raise UsageError("no method is chosen", where="--methods", hint=f"its methods: {', '.join(methods)}")
    return {name: methods[name] for name in names}
