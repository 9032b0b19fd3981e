"""The protocol's `train` section: what trainings, and steps that train, have by default."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from harness.plugin.registry import RegisteredPlugin
from harness.plugin.specs import MergeSpec, RecoverySpec
from harness.protocol.faults import Faults, describe, fields_of, validate
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.plugin_uses import PluginUses
from harness.protocol.shape import DEFAULT_ALGORITHM
from harness.protocol.source import KeyPath


class TrainDefaults:
    """The protocol's `train` section: the default algorithm and its config, which steps can override."""

    def __init__(self, section: Mapping[str, Any], uses: PluginUses) -> None:
        self.name = section.get("with", DEFAULT_ALGORITHM)
        self._config = {key: value for key, value in section.items() if key != "with"}
        self._uses = uses
        self._found = uses.find("algorithm", self.name, ("train", "with"))

    def resolve(
        self, name: object, own: Mapping[str, Any], *, at: KeyPath, step: KeyPath, beside: Collection[str]
    ) -> PluginRef | None:
        """Resolves the algorithm `name` with the defaults, overridden by a step's `own` keys. beside: the step's other
        keys.

        An own key replaces the whole value of the default. If the step uses another algorithm than the defaults,
        defaults that it does not know are ignored. Unknown own keys are faults.
        """
        if name == self.name and self._found is None:
            return None  # already recorded
        found = self._uses.find("algorithm", name, at)
        model = self._uses.config_type(found, at) if found is not None else None
        if found is None or model is None:
            return None
        defaults = self._config
        if self._found is None or found.qualified != self._found.qualified:
            known = fields_of(model)
            defaults = {key: value for key, value in defaults.items() if key in known}
        unchanged = name == self.name and not own  # report a fault once for the section, not per step

        def place(key: str) -> KeyPath:
            return ("train", key) if key not in own and (key in defaults or unchanged) else (*step, key)

        return self._uses.use(
            "algorithm",
            name,
            {**defaults, **own},
            at=("train", "with") if unchanged else at,
            place=place,
            beside=["with"] if unchanged else beside,
        )

    def of_step(
        self, found: RegisteredPlugin, step: Mapping[str, Any], *, at: KeyPath, verb: str
    ) -> tuple[PluginRef, PluginRef | None] | None:
        """Returns the recovery or merge of a step, and the algorithm that it trains with, None if it does not; None
        if there is a fault.

        found: the plugin that the step names. verb: the key that makes the step one.
        """
        model = self._uses.config_type(found, (*at, "with"))
        if model is None:
            return None
        assert isinstance(found.spec, RecoverySpec | MergeSpec)
        own = {key: value for key, value in step.items() if key not in (verb, "with")}
        training = None
        if found.spec.trains:
            own, training = self._split(found.spec, own, fields_of(model), at=at, verb=verb)
        plugin = self._uses.use(
            found.kind, step["with"], own, at=(*at, "with"), place=lambda key: (*at, key), beside=[verb, "with"]
        )
        if plugin is None or (found.spec.trains and training is None):
            return None
        return plugin, training

    def _split(
        self, spec: RecoverySpec | MergeSpec, own: Mapping[str, Any], known: Collection[str], *, at: KeyPath, verb: str
    ) -> tuple[dict[str, Any], PluginRef | None]:
        """Returns the keys of a step that are its plugin's, and the algorithm with the others, None for a fault.

        own: the keys of the step beside `verb` and `with`. known: the keys of the plugin's config.
        """
        algorithm = own.get("algorithm", spec.algorithm or self.name)
        keys = {key: value for key, value in own.items() if key not in known and key != "algorithm"}
        algorithm_at = (*at, "algorithm") if "algorithm" in own else at
        beside = [verb, "with", "algorithm", *known]
        training = self.resolve(algorithm, keys, at=algorithm_at, step=at, beside=beside)
        return {key: value for key, value in own.items() if key in known}, training

    def check(self, faults: Faults) -> None:
        """Records faults in the defaults, whether used or not. Missing keys are allowed: steps may set them."""
        model = self._uses.config_type(self._found, ("train", "with")) if self._found is not None else None
        if model is None:
            return
        try:
            validate(model, self._config)
        except ValidationError as error:
            for path, message, hint in describe(model, error, beside=["with"]):
                if path and path[0] in self._config:
                    faults.add(("train", *path), message, hint)
