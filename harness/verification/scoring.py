"""The tasks that score an evaluation again, built from its definition by an installed plugin."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from harness._util.content_key import canonical_json
from harness.errors import HarnessError
from harness.plugin.interfaces import TaskSet
from harness.plugin.registry import Registry
from harness.plugin.specs import DomainSpec
from harness.protocol import instance_of
from harness.protocol.evaluation_settings import EvaluationSettings
from harness.protocol.single_plugin import resolve_plugin

_IDENTITY = re.compile(r"([\w.-]+):([^@/]+)@.*")
_WHY = {
    "executes-code": "scoring executes code from the answers",
    "network": "scoring sends the answers to a server",
    "gpu": "scoring needs a GPU",
}


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """The tasks and settings of an evaluation, and the plugin of the domain. changed: its identity in the record if
    another version is installed here."""

    tasks: TaskSet
    settings: EvaluationSettings
    plugin: str
    changed: str | None = None


def plugin_of(identity: str) -> str | None:
    """Returns `distribution/name` from the identity of a plugin, None if it has another form."""
    named = _IDENTITY.fullmatch(identity)
    return None if named is None else f"{named[1]}/{named[2]}"


class _Impossible(Exception):
    """Why an evaluation cannot be scored again here."""


def scoring_of(definition: Mapping[str, Any], registry: Registry, allow: Collection[str]) -> Scoring | str:
    """Returns how to score an evaluation with this definition again, or why that is not possible here.

    allow: needs of plugins to permit, as in a protocol. Nothing of a record is imported: its plugin has to be
    installed, values that keys do not cover (paths of local files, names of secrets) are refused, and the data must be
    the same.
    """
    try:
        return _scoring(definition, registry, allow)
    except _Impossible as reason:
        return str(reason)


def _scoring(definition: Mapping[str, Any], registry: Registry, allow: Collection[str]) -> Scoring:
    try:
        domain, evaluate = definition["domain"], definition["evaluate"]
        identity, config, fingerprint = domain["identity"], domain["config"], definition["fingerprint"]
        name = plugin_of(identity)
        settings = EvaluationSettings(**{**evaluate, "serve": tuple(evaluate.get("serve", ()))})
    except (KeyError, TypeError, AttributeError):
        name = None
    if name is None:
        raise _Impossible("its definition has another form")
    label = f"the plugin {name.replace('/', ':')}"
    try:
        found = registry.find("domain", name)
    except HarnessError:
        raise _Impossible(f"{label} is not installed") from None
    assert isinstance(found.spec, DomainSpec)
    for need in sorted(found.spec.needs - set(allow)):
        raise _Impossible(f"{_WHY[need]}; --allow {need} does so")
    try:
        use = resolve_plugin(registry, "domain", name, config=config, allow=allow)
        keyed = use.definition()["config"]
        if canonical_json({key: keyed.get(key) for key in config}) != canonical_json(config):
            raise _Impossible(f"{label} has other settings here")
        instance = instance_of(use, registry)
        if instance.fingerprint() != fingerprint:
            raise _Impossible(f"its data is not here (fingerprint {fingerprint})")
        tasks = TaskSet.of(instance)
    except _Impossible:
        raise
    except HarnessError as error:
        raise _Impossible(f"{label} cannot be used: {' '.join(str(error).split())}") from error
    except Exception as error:
        raise _Impossible(f"{label} failed: {type(error).__name__}: {error}") from error
    changed = identity if found.identity != identity else None
    return Scoring(tasks=tasks, settings=settings, plugin=found.identity, changed=changed)
