"""Methods that other methods name, and the merge steps of a protocol: their experts and weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.plugin.config import Config, TrainingPlace
from harness.protocol.data import ExpertMethod, MergeStep, Step
from harness.protocol.faults import Faults, near_match
from harness.protocol.plugin_ref import PluginRef
from harness.protocol.plugin_uses import PluginUses, config_of
from harness.protocol.source import KeyPath
from harness.protocol.train_defaults import TrainDefaults

_WRITE = "write a list of methods, or a mapping of methods to weights"


@dataclass(frozen=True, kw_only=True)
class ReadMethod:
    """A method that has been read. steps: the valid ones. whole: whether all are valid, so that other methods can use
    it. trained: the domains that it trains, by name."""

    steps: tuple[Step, ...] = ()
    whole: bool = False
    trained: tuple[str, ...] = ()


class MethodNames:
    """The names of a protocol's methods, where steps name them. read: reads a method."""

    def __init__(self, names: Collection[str], read: Callable[[str], ReadMethod], faults: Faults) -> None:
        self._names = names
        self._read = read
        self._faults = faults

    def known(self, name: object, at: KeyPath) -> bool:
        """Returns whether there is a method with this name; records a fault if not."""
        if isinstance(name, str) and name in self._names:
            return True
        if isinstance(name, str):
            self._faults.add(at, f"there is no method {name!r}", near_match(name, self._names))
        else:
            self._faults.add(at, f"should be a method's name, not {name!r}")
        return False

    def trained_by(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Returns the domains that each of these methods trains."""
        return {name: self._read(name).trained for name in names}

    def experts(self, weights: Mapping[str, float]) -> tuple[ExpertMethod, ...] | None:
        """Returns these methods, or None if one has a fault, which is recorded there."""
        read = {name: self._read(name) for name in weights}
        if not all(method.whole and method.steps for method in read.values()):
            return None
        return tuple(ExpertMethod(name=name, weight=weight, steps=read[name].steps) for name, weight in weights.items())


class MergeReader:
    """Reads the merge steps of a protocol."""

    def __init__(self, *, methods: MethodNames, defaults: TrainDefaults, uses: PluginUses, faults: Faults) -> None:
        self._methods = methods
        self._defaults = defaults
        self._uses = uses
        self._faults = faults

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
        found = self._uses.find_of_step("merge", step, at)
        plugins = None if found is None else self._defaults.of_step(found, step, at=at, verb="merge")
        if weights is None:
            return None, None
        experts = self._methods.experts(weights)
        if experts is None:
            return None, None
        domains = self._methods.trained_by(weights)
        trained = tuple(sorted({domain for names in domains.values() for domain in names}))
        if plugins is None or position > 1:
            return trained, None
        merge, training = plugins
        self._check_experts(merge, training, domains, at)
        label = f"merge {' + '.join(weights)} ({step['with']})"
        return trained, MergeStep(label=label, merge=merge, experts=experts, training=training)

    def _check_experts(
        self, merge: PluginRef, training: PluginRef | None, experts: Mapping[str, tuple[str, ...]], at: KeyPath
    ) -> None:
        """Validates the configs of a merge and of its algorithm against the experts; records faults."""
        config = config_of(merge, self._uses.registry)
        if isinstance(config, Config):
            self._faults.add_found(at, config.fault_with_experts(experts))
        if training is None:
            return
        algorithm = config_of(training, self._uses.registry)
        if not isinstance(algorithm, Config) or not algorithm.reads_experts():
            message = f"the algorithm {training.name} does not learn from experts, as this merge needs"
            self._faults.add((*at, "algorithm"), message, "leave algorithm out")
            return
        others = {key: name for key, name in training.methods.items() if name not in experts}
        for key, name in others.items():
            message = f"{name!r} is not among the experts of this merge"
            self._faults.add((*at, *key.split(".")), message, f"they are {', '.join(experts)}")
        if not others:
            domains = tuple(sorted({domain for names in experts.values() for domain in names}))
            place = TrainingPlace(labels=("base",), domains=domains, peaks={}, experts=experts)
            self._faults.add_found(at, algorithm.fault_in_training(place))

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
        right = [self._methods.known(name, place) and self._weighed(weight, place) for name, place, weight in named]
        if not all(right):
            return None
        weights = {name: float(weight) for name, _, weight in named}
        if len(weights) < len(named):
            self._faults.add(at, "names a method twice", "to weight it, write a mapping of methods to weights")
            return None
        return weights

    def _weighed(self, weight: Any, at: KeyPath) -> bool:
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if number and weight > 0:
            return True
        self._faults.add(at, f"the weight should be a number above 0, not {weight!r}")
        return False
