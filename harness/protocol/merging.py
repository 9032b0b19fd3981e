"""Merge steps of a protocol: their experts and weights, and the order in which methods are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from harness.plugin.config import Config
from harness.plugin.specs import MergeSpec
from harness.protocol.data import ExpertMethod, MergeStep, Step
from harness.protocol.faults import Faults, fields_of, near_match
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.plugin_uses import PluginUses, config_of
from harness.protocol.source import KeyPath
from harness.protocol.train_defaults import TrainDefaults

_WRITE = "write a list of methods, or a mapping of methods to weights"


def reading_order(methods: Mapping[str, Any], faults: Faults) -> list[str]:
    """Returns the names of the methods in topological order: after those that they merge. Records cycles as faults."""
    merged = {name: [expert for expert in _names(steps) if expert in methods] for name, steps in methods.items()}
    sorter = TopologicalSorter(merged)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        cycle = [str(name) for name in reversed(error.args[1])]
        message = "merges itself" if len(cycle) == 2 else f"is part of a cycle: {' merges '.join(cycle)}"
        faults.add(("methods", cycle[0]), message, "a merge needs the results of its experts")
        return list(methods)


def _names(steps: Any) -> list[str]:
    """Returns the names in a method's merges, ignoring malformed parts."""
    merges = [step["merge"] for step in steps if isinstance(step, dict) and "merge" in step] if _listed(steps) else []
    return [name for merge in merges if _listed(merge) or isinstance(merge, dict) for name in merge if _text(name)]


def _listed(value: Any) -> bool:
    return isinstance(value, list)


def _text(value: Any) -> bool:
    return isinstance(value, str)


class MergeReader:
    """Reads the merge steps of a protocol. methods: the names of all methods."""

    def __init__(self, *, methods: Sequence[str], defaults: TrainDefaults, uses: PluginUses, faults: Faults) -> None:
        self._methods = methods
        self._defaults = defaults
        self._uses = uses
        self._faults = faults
        self._read: dict[str, tuple[Step, ...] | None] = {}
        self._trained: dict[str, tuple[str, ...]] = {}

    def keep(self, name: str, steps: tuple[Step, ...] | None, trained: Collection[str]) -> None:
        """Records a method that has been read and the domains that it trains. steps: None if the method is invalid."""
        self._read[name] = steps
        self._trained[name] = tuple(sorted(trained))

    def read(
        self, step: Mapping[str, Any], at: KeyPath, position: int
    ) -> tuple[tuple[str, ...] | None, MergeStep | None]:
        """Returns the domains that the experts trained, or None if unknown, and the step, or None if it is invalid.
        Records faults.

        position: the index of the step in its method's lineage.
        """
        weights = self._weights(step["merge"], (*at, "merge"))
        if position > 1:
            message = "a merge can only be a method's first step"
            self._faults.add((*at, "merge"), message, "move the steps before it to a method of their own")
        plugins = self._plugins(step, at)
        if weights is None:
            return None, None
        methods = {name: self._read.get(name) for name in weights}
        trained = tuple(sorted({domain for name in weights for domain in self._trained.get(name, ())}))
        experts = tuple(
            ExpertMethod(name=name, weight=weight, steps=steps)
            for name, weight in weights.items()
            if (steps := methods[name])
        )
        if len(experts) < len(weights):  # the fault is reported for that method
            return None, None
        if plugins is None or position > 1:
            return trained, None
        merge, training = plugins
        self._check_experts([merge] if training is None else [merge, training], list(weights), at)
        label = f"merge {' + '.join(weights)} ({step['with']})"
        return trained, MergeStep(label=label, merge=merge, experts=experts, training=training)

    def _plugins(self, step: Mapping[str, Any], at: KeyPath) -> tuple[PluginRef, PluginRef | None] | None:
        """Returns the merge and the algorithm that it trains with, or None if there is a fault."""
        if "with" not in step:
            names = ", ".join(sorted({found.name for found in self._uses.registry.all("merge")})) or "none"
            self._faults.add((*at, "with"), "is missing", f"name a merge plugin; available: {names}")
            return None
        found = self._uses.find("merge", step["with"], (*at, "with"))
        model = None if found is None else self._uses.config_type(found, (*at, "with"))
        if found is None or model is None:
            return None
        assert isinstance(found.spec, MergeSpec)
        own = {key: value for key, value in step.items() if key not in ("merge", "with")}
        own, training = self._defaults.of_step(found.spec, own, fields_of(model), at=at, verb="merge")
        merge = self._uses.use(
            "merge", step["with"], own, at=(*at, "with"), place=lambda key: (*at, key), beside=["merge", "with"]
        )
        if merge is None or (found.spec.trains and training is None):
            return None
        return merge, training

    def _check_experts(self, plugins: Sequence[PluginRef], experts: Sequence[str], at: KeyPath) -> None:
        """Validates the configs of a merge and of its algorithm against the experts; records faults."""
        trained = {name: self._trained[name] for name in experts}
        for use in plugins:
            config = config_of(use, self._uses.registry)
            if not isinstance(config, Config):
                continue
            if use.kind == "algorithm" and not config.reads_experts():
                message = f"the algorithm {use.name} does not learn from experts, as this merge needs"
                self._faults.add((*at, "algorithm"), message, "leave algorithm out")
                continue
            fault = config.fault_with_experts(trained)
            if fault is not None:
                key, message, hint = fault
                self._faults.add((*at, key) if key else at, message, hint)

    def _weights(self, value: Any, at: KeyPath) -> dict[str, float] | None:
        """Returns the weights of the experts, in the order of the protocol, or None if there is a fault."""
        if isinstance(value, dict):
            named: list[tuple[Any, KeyPath, Any]] = [(name, (*at, name), weight) for name, weight in value.items()]
        elif isinstance(value, list):
            named = [(name, (*at, index), 1.0) for index, name in enumerate(value)]
        else:
            named = []
        if len(named) < 2:
            what = f"names one expert, {named[0][0]!r}" if named else f"names no experts: {value!r}"
            self._faults.add(at, what, f"a merge takes two or more; {_WRITE}")
            return None
        right = [self._known(name, place) and self._weighed(weight, place) for name, place, weight in named]
        if not all(right):
            return None
        weights = {name: float(weight) for name, _, weight in named}
        if len(weights) < len(named):
            self._faults.add(at, "names a method twice", "to weight it, write a mapping of methods to weights")
            return None
        return weights

    def _known(self, name: object, at: KeyPath) -> bool:
        if isinstance(name, str) and name in self._methods:
            return True
        if isinstance(name, str):
            self._faults.add(at, f"there is no method {name!r}", near_match(name, self._methods))
        else:
            self._faults.add(at, f"should be a method's name, not {name!r}")
        return False

    def _weighed(self, weight: Any, at: KeyPath) -> bool:
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if number and weight > 0:
            return True
        self._faults.add(at, f"the weight should be a number above 0, not {weight!r}")
        return False
